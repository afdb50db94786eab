"""Who may do what: for each kind of user the pages they may open and the messages they may send.

What has no row is the owner's alone, so that what was forgotten here is closed, not open; a
test demands a row for every route and every message. Whose worksheet, class or account it is
that somebody asks for is looked at where it is read.
"""

from __future__ import annotations

STRANGER = "anonymous"  # who is not signed in
TOOL = "tool"  # of this site, with its token

NOBODY: frozenset[str] = frozenset()
OWNER = frozenset(("owner",))
ADMINISTRATORS = OWNER | {"administrator"}
TEACHERS = ADMINISTRATORS | {"teacher"}
MEMBERS = TEACHERS | {"member"}
PEOPLE = MEMBERS | {"guest"}
ANYBODY = PEOPLE | {STRANGER, TOOL}

ROLES = ("owner", "administrator", "teacher", "member", "guest")  # the mightiest first
LASTING = ROLES[:4]  # a guest's account ends with its sign-in, so nobody is made one

ROUTES: dict[str, frozenset[str]] = {
    "alive": ANYBODY,
    "static": ANYBODY,
    "service_worker": ANYBODY,
    "words": ANYBODY,
    "service": ANYBODY,  # it looks itself at who asks
    "status": ADMINISTRATORS | {TOOL},
    "status_course": ADMINISTRATORS | {TOOL},
    "end_suspect": ADMINISTRATORS,
    "metrics": ADMINISTRATORS | {TOOL},
    "administration": ADMINISTRATORS,
    "person": ADMINISTRATORS,
    "export_person": ADMINISTRATORS,  # whose, is looked at there, as of all that is done to people
    "change_role": ADMINISTRATORS,
    "disable_person": ADMINISTRATORS,
    "enable_person": ADMINISTRATORS,
    "sign_out_person": ADMINISTRATORS,
    "make_password_link": ADMINISTRATORS,
    "raise_limit": ADMINISTRATORS,
    "take_back_limit": ADMINISTRATORS,
    "delete_person": ADMINISTRATORS,
    "invitations": ADMINISTRATORS,
    "make_invitation": ADMINISTRATORS,
    "revoke_invitation": ADMINISTRATORS,
    "make_join_code": ADMINISTRATORS,
    "revoke_join_code": ADMINISTRATORS,
    "active_sessions": ADMINISTRATORS,
    "end_active_session": ADMINISTRATORS,
    "audit_log": ADMINISTRATORS,
    "notices": frozenset((TOOL,)),
    "end_session": frozenset((TOOL,)),
    # Worksheets
    "home": PEOPLE,
    "worksheet_list": PEOPLE,
    "new_worksheet": PEOPLE,
    "first_worksheet": PEOPLE,
    "examples": PEOPLE,
    "worksheet": PEOPLE,
    "console": PEOPLE,
    "worksheet_console": PEOPLE,
    "worksheet_rename": PEOPLE,
    "worksheet_duplicate": PEOPLE,
    "worksheet_star": PEOPLE,
    "worksheet_trash": PEOPLE,
    "worksheet_restore": PEOPLE,
    "worksheet_purge": PEOPLE,
    "worksheet_history": PEOPLE,
    "export_worksheet": PEOPLE,
    "share_worksheet": MEMBERS,
    "new_share": MEMBERS,
    "revoke_share": MEMBERS,
    "published": ANYBODY,
    "copy_published": ANYBODY,  # it looks itself at who asks
    "cell": ANYBODY,
    "embedded": ANYBODY,
    "embed_script": ANYBODY,
    "visit": PEOPLE,
    "embedded_visit": ANYBODY,  # it looks itself whether the site allows it
    "leave_visit": ANYBODY,  # who has its ticket
    "import_worksheet": PEOPLE,
    "restore_version": PEOPLE,
    "socket": PEOPLE,
    "file": PEOPLE,
    "files": PEOPLE,
    "begin_upload": PEOPLE,
    "upload_piece": PEOPLE,
    "cancel_upload": PEOPLE,
    "rename_file": PEOPLE,
    "delete_file": PEOPLE,
    "output": ANYBODY,  # empty frames, also below other sites' pages
    "scene": ANYBODY,
    # Classes; which of them, and as whom, is looked at where it is read
    "class_list": MEMBERS,
    "new_class": TEACHERS,
    "class_page": MEMBERS,
    "change_class": TEACHERS,
    "archive_class": TEACHERS,
    "reopen_class": TEACHERS,
    "delete_class": TEACHERS,
    "new_class_code": TEACHERS,
    "revoke_class_code": TEACHERS,
    "remove_student": TEACHERS,
    "leave_class": MEMBERS,
    "join_class": MEMBERS,
    "hand_out": TEACHERS,
    "handout_page": TEACHERS,
    "change_deadline": TEACHERS,
    "collect_handout": TEACHERS,
    "return_handout": TEACHERS,
    "handout_zip": TEACHERS,
    "collected_copy": MEMBERS,
    "comment_copy": TEACHERS,
    "enter_worksheet": TEACHERS,
    # Coming in and going out
    "sign_in": ANYBODY,
    "sign_in_with_password": ANYBODY,
    "join": ANYBODY,
    "join_by_code": ANYBODY,
    "join_as": ANYBODY,
    "new_password": ANYBODY,
    "set_password": ANYBODY,
    "enter_as_guest": ANYBODY,
    "sign_out": PEOPLE,
    "sign_out_everywhere": PEOPLE,
    "provider_leave": ANYBODY,
    "provider_come_back": ANYBODY,
    # One's own account
    "provider_link": MEMBERS,
    "provider_unlink": MEMBERS,
    "account": PEOPLE,
    "export_account": PEOPLE,
    "end_sign_in": PEOPLE,
    "change_password": MEMBERS,
    "dropbox": MEMBERS,
    "connect_dropbox": MEMBERS,
    "dropbox_come_back": MEMBERS,
    "disconnect_dropbox": MEMBERS,
    "open_from_dropbox": MEMBERS,
    "fetch_from_dropbox": MEMBERS,
    "save_to_dropbox": MEMBERS,
}

MESSAGES: dict[str, frozenset[str]] = {
    "hello": PEOPLE,
    "ping": PEOPLE,
    "pong": PEOPLE,
    "attach": PEOPLE,
    "ack": PEOPLE,
    "active": PEOPLE,
    "execute": PEOPLE,
    "update": PEOPLE,
    "cancel": PEOPLE,
    "interrupt": PEOPLE,
    "restart": PEOPLE,
    "end": PEOPLE,
    "complete": PEOPLE,
    "inspect": PEOPLE,
    "input_reply": PEOPLE,
    "save_cell": PEOPLE,
    "title": PEOPLE,
    "here": PEOPLE,
    # Between servers, or from them to pages: never from a browser
    "refused": NOBODY,
    "detach": NOBODY,
    "gone": NOBODY,
    "frame": NOBODY,
    "state": NOBODY,
    "complete_reply": NOBODY,
    "inspect_reply": NOBODY,
    "usage": NOBODY,
    "worksheet": NOBODY,
    "cell_saved": NOBODY,
    "cell": NOBODY,
    "saving": NOBODY,
    "files_changed": NOBODY,
    "evaluate": NOBODY,
    "evaluated": NOBODY,
    "read_file": NOBODY,
    "file_data": NOBODY,
    "fork": NOBODY,
    "forked": NOBODY,
    "signal": NOBODY,
    "exited": NOBODY,
    "ready": NOBODY,
    "opened": NOBODY,
    "order": NOBODY,
    "host_report": NOBODY,
    "progress": NOBODY,
    "log_text": NOBODY,
    "done": NOBODY,
    "draining": NOBODY,
    "challenge": NOBODY,
    "bye": NOBODY,
    "deliver": NOBODY,
    "reached": NOBODY,
    "notice": NOBODY,
}


def may_open(kind: str, endpoint: str) -> bool:
    """Whether users of this kind may ask for this route."""
    return kind in ROUTES.get(endpoint, OWNER)


def may_send(kind: str, message: str) -> bool:
    """Whether pages of users of this kind may send this message."""
    return kind in MESSAGES.get(message, OWNER)


def may_govern(actor: str, subject: str) -> bool:
    """Whether `actor` may change, limit, end or delete what a person of kind `subject` has.

    Administrators govern whoever is below them, the owner everybody but owners: their own
    account is changed from the command line alone.
    """
    if actor not in ADMINISTRATORS or subject not in ROLES:
        return False
    return ROLES.index(actor) < ROLES.index(subject)
