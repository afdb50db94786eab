"""What is said to people below the pages, by exceptions and by Sage servers.

It is English there, and put into the site's language where it is shown (`said` of languages.py
and of words.js).

Values stand as {name}; what is said is recognised by what stands between them. A test looks for
each in the sources.
"""

from __future__ import annotations

from app.words import N_

SAID = (
    # Accounts
    N_("The name to sign in by has 1 to 100 letters, digits or . @ + - _"),
    N_("A password has {shortest} characters or more; a few words do well."),
    N_("A password has at most {longest} characters."),
    N_("That password is the first that somebody would guess."),
    N_("somebody signs in as {name} already; choose another name"),
    # Files, imports, links
    N_("That is no name for a file."),
    N_("Names that begin with a dot are not kept."),
    N_("There is no such upload, or not any more."),
    N_("There is a file {name} already."),
    N_("There is no file {name} any more."),
    N_(
        "{name} has {size}, but the folder has room for {room} of its {limit}: delete something"
        " first."
    ),
    N_("The folder has {count} files, which is the most: delete some first."),
    N_("That is more than was announced."),
    N_("There is no such file."),
    N_("It is no notebook: it is not JSON."),
    N_("It is no notebook: {why}"),
    N_("It is no SageMath worksheet: there are no cells in it."),
    N_("This worksheet has {count} links: revoke some first."),
    # Cells
    N_("Code must not contain NUL characters or carriage returns."),
    N_(
        "What was edited of this cell takes {size} bytes, more than {largest}: copy its text to"
        " another cell."
    ),
    N_("Cell {id} belongs to another worksheet."),
    N_("there is no such worksheet"),
    N_("the worksheet is in the trash, from where it can be restored"),
    N_("this page is older than the server; load it again"),
    N_("code must not contain NUL characters"),
    # Why a session or a run ended, or waits
    N_("{why}; your code is safe, try again in a moment"),
    N_("{why}; try again in a moment"),
    N_("{why}; it did not stop when it was interrupted"),
    N_("the Sage server can't be reached ({error})"),
    N_("its Sage server can't be reached and is not one of this site's any more ({error})"),
    N_("no Sage server can be reached ({why})"),
    N_("nobody used it for a long time; the next run begins a new one"),
    N_("waiting for Sage to start"),
    N_("fetching the worksheet's files"),
    N_("the session has no home yet"),
    N_("the server made a mistake; see its log"),
    N_("it closed its own connection to the server"),
    N_("the Sage server that ran it was killed"),
    N_("the Sage server was stopped"),
    N_("the Sage zygote it came from has died"),
    N_("Sage did not start within {seconds} s (sage.start_seconds). {why}"),
    N_("no process could be made for it ({error})"),
    N_("there is no place for it"),
    N_("you left the queue"),
    N_("you ended it"),
    N_("its page was closed"),
    N_("killed by {signal}"),
    N_("this worksheet has no session"),
    N_("the session has ended: run the cell again"),
    N_("these controls are gone: run the cell again"),
    N_("{control}: it can't have the value {value}"),
    N_("you have as many sessions as you may have at a time ({count}): end one of them"),
    N_("this server has as many sessions as it may have ({count})"),
    N_("this site has as many sessions as it may have ({count})"),
    N_("all from your network together may have {count} sessions at a time"),
    N_("limit of {what}: used {used} of {allowed}"),
    # Limits that are raised
    N_("{limit} = {value}: {why}"),
    N_("{limit}: they may have {value} anyway"),
    N_("for {time}: {why}"),
    N_("say in 1 to {longest} characters why: the person is shown it"),
    N_("this account does not exist any more"),
    N_('expected a size, as "500 MB" or "2 GiB"'),
    N_('expected a time, as "90 s", "15 min", "2h" or "3d"'),
    N_("expected a whole number"),
    # In the audit log
    N_("archived a class"),
    N_("changed the role of"),
    N_("connected a Dropbox"),
    N_("disconnected a Dropbox"),
    N_("linked an account"),
    N_("unlinked an account"),
    N_("collected"),
    N_("deleted a class"),
    N_("deleted the account"),
    N_("disabled"),
    N_("enabled"),
    N_("ended a session of"),
    N_("entered a worksheet of"),
    N_("exported the account"),
    N_("revoked an invitation"),
    N_("gave a class to"),
    N_("gave a wrong password"),
    N_("handed out"),
    N_("invited"),
    N_("joined a class"),
    N_("joined"),
    N_("left a class"),
    N_("made a class"),
    N_("made a join code"),
    N_("made a password link"),
    N_("raised a limit of"),
    N_("removed from a class"),
    N_("reopened a class"),
    N_("returned"),
    N_("revoked a join code"),
    N_("set a password"),
    N_("signed a browser out"),
    N_("signed in"),
    N_("signed out everywhere"),
    N_("signed out"),
    N_("took back a raised limit of"),
    # Sage servers
    N_("the database is away, which knows who may see this session: it is shown when that is back"),
    # What sessions use
    N_("processor time"),
    N_("a session's time"),
    N_("a run's time"),
    N_("memory"),
    N_("CPU time"),
    N_("time of this run"),
    N_("time of the session"),
    N_("runs within an hour"),
    N_("processes"),
    N_("disk"),
    N_("files"),
    N_("output"),
)
