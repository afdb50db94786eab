"""Imports run one way. The table says who may import what of ours."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from app.settings import ROOT

PLAIN_SIDE = ("app.sage.files", "app.sage.splitter", "app.sage.display", "app.sage.interact",
              "app.sage.language", "app.sage.dialects", "app.sage.documentation",
              "app.sage.tracebacks", "app.wire.decoder",
              "app.wire.messages_pb2")  # runs in Sage's interpreter
ALLOWED: dict[str, tuple[str, ...]] = {
    "app/settings.py": (),
    "app/assets.py": ("app.settings",),
    "app/words.py": ("app.settings",),
    "app/said.py": ("app.words",),
    "app/green.py": (),
    "app/db.py": (),
    "app/cache.py": (),
    "app/loop.py": (),
    "app/token.py": ("app.db", "app.loop", "app.wire"),
    "app/commands.py": ("app.db", "app.layout", "app.settings", "app.token"),
    "app/listener.py": ("app.settings", "app.wire"),
    "app/accounts.py": (),
    "app/attempts.py": (),
    "app/audit.py": (),
    "app/join_codes.py": (),
    "app/classes.py": ("app.audit", "app.join_codes", "app.roles"),
    "app/kept_files.py": ("app.folders",),
    "app/handouts.py": ("app.audit", "app.classes", "app.exchange", "app.kept_files",
                        "app.notebooks"),
    "app/collected.py": ("app.audit", "app.exchange", "app.kept_files", "app.manuscript",
                         "app.notebooks"),
    "app/comments.py": ("app.audit",),
    "app/parcel.py": ("app.collected", "app.comments", "app.handouts", "app.kept_files",
                      "app.takeout"),
    "app/rounds.py": ("app.collected", "app.db", "app.delivery", "app.handouts", "app.loop",
                      "app.people", "app.wire", "app.words"),
    "app/identities.py": ("app.accounts",),
    "app/passwords.py": (),
    "app/people.py": ("app.accounts", "app.audit", "app.burials"),
    "app/burials.py": (),
    "app/moments.py": (),
    "app/people_commands.py": ("app.accounts", "app.audit", "app.db", "app.dropbox_accounts",
                               "app.join_codes",
                               "app.moments", "app.people", "app.quantities", "app.roles",
                               "app.settings", "app.takeout"),
    "app/limits.py": ("app.audit", "app.quantities", "app.settings"),
    "app/class_commands.py": ("app.audit", "app.classes", "app.people_commands", "app.roles"),
    "app/limit_commands.py": ("app.audit", "app.limits", "app.people_commands"),
    "app/takeout.py": ("app.audit", "app.exchange", "app.folders", "app.kept_files",
                       "app.notebooks", "app.people"),
    "app/dropbox.py": (),
    "app/dropbox_accounts.py": ("app.dropbox", "app.settings"),
    "app/roles.py": (),
    "app/role.py": ("app.balance", "app.browsers", "app.cache", "app.db", "app.delivery",
                    "app.directory", "app.evaluations", "app.layout", "app.live_sessions",
                    "app.losses", "app.merging", "app.mining", "app.nodes", "app.peers",
                    "app.placements", "app.rounds", "app.servers", "app.sessions",
                    "app.settings", "app.token", "app.web", "app.wire", "app.words"),
    "app/mining.py": ("app.roles", "app.settings"),
    "app/skew.py": (),
    "app/oversight.py": ("app.audit",),
    "app/permissions.py": ("app.oversight",),
    "app/changes.py": (),
    "app/documents.py": ("app.burials",),
    "app/folders.py": (),
    "app/texts.py": (),
    "app/manuscript.py": ("app.wire",),
    "app/notebooks.py": ("app.manuscript", "app.wire"),
    "app/scripts.py": ("app.manuscript",),
    "app/guide.py": ("app.manuscript", "app.scripts", "app.settings"),
    "app/shares.py": ("app.exchange", "app.manuscript", "app.notebooks"),
    "app/sagews.py": ("app.manuscript", "app.wire"),
    "app/formulas.py": (),
    "app/prose.py": ("app.formulas",),
    "app/standalone.py": ("app.formulas", "app.manuscript", "app.prose", "app.wire"),
    "app/markdown.py": ("app.manuscript", "app.wire"),
    "app/exchange.py": ("app.changes", "app.documents", "app.manuscript", "app.transcripts",
                        "app.wire", "app.worksheets"),
    "app/merging.py": ("app.settings", "app.texts"),
    "app/worksheets.py": ("app.changes", "app.texts"),
    "app/transcripts.py": ("app.wire",),
    "app/copies.py": ("app.documents", "app.folders", "app.transcripts", "app.worksheets"),
    "app/wire/decoder.py": ("app.wire.messages_pb2",),
    "app/wire/stream.py": ("app.wire",),
    "app/wire/tls.py": (),
    "app/wire/connection.py": ("app.wire",),
    "app/browsers.py": ("app.wire",),
    "app/balance.py": (),
    "app/placements.py": ("app.balance", "app.cache", "app.db", "app.nodes", "app.worksheets"),
    "app/losses.py": ("app.db", "app.loop", "app.nodes"),
    "app/nodes.py": ("app.balance", "app.loop", "app.settings", "app.token", "app.wire"),
    "app/peers.py": ("app.layout", "app.listener", "app.settings", "app.token", "app.wire"),
    "app/directory.py": ("app.browsers", "app.cache", "app.db"),
    "app/delivery.py": ("app.browsers", "app.db", "app.directory", "app.nodes", "app.peers",
                        "app.wire"),
    "app/downloads.py": ("app.inquiry", "app.nodes", "app.wire"),
    "app/inquiry.py": ("app.nodes", "app.wire"),
    "app/evaluations.py": ("app.cache", "app.inquiry", "app.nodes", "app.settings", "app.wire"),
    "app/layout.py": ("app.settings",),
    "app/quantities.py": (),
    "app/servers.py": ("app.layout", "app.settings", "app.watched_file"),
    "app/watched_file.py": (),
    "app/live_sessions.py": (),
    "app/session_commands.py": ("app.commands", "app.db", "app.live_sessions",
                                "app.people_commands", "app.quantities", "app.settings"),
    "app/sessions.py": ("app.folders", "app.live_sessions", "app.placements", "app.downloads",
                        "app.inquiry",
                        "app.permissions",
                        "app.worksheets", "app.browsers",
                        "app.db", "app.delivery", "app.nodes", "app.wire"),
    "app/sage/splitter.py": (),
    "app/sage/files.py": ("app.wire.messages_pb2",),
    "app/sage/figures.py": (),
    "app/sage/loading.py": (),
    "app/sage/dialects.py": (),
    "app/sage/tracebacks.py": (),
    "app/sage/docstrings.py": (),
    "app/sage/documentation.py": ("app.sage.docstrings",),
    "app/sage/backend.py": ("app.sage.figures", "app.sage.loading"),
    "app/sage/language.py": ("app.sage.backend", "app.sage.dialects", "app.sage.documentation",
                             "app.sage.figures", "app.sage.interact"),
    "app/sage/controls.py": (),
    "app/sage/abbreviations.py": ("app.sage.controls",),
    "app/sage/interact.py": ("app.sage.abbreviations", "app.sage.controls",
                             "app.wire.messages_pb2"),
    "app/sage/updates.py": ("app.wire",),
    "app/sage/display.py": (*PLAIN_SIDE, "app.sage.figures"),
    "app/sage/worker.py": PLAIN_SIDE,
    "app/sage/zygote.py": (*PLAIN_SIDE, "app.sage.worker", "app.sage.kernel",
                           "app.sage.mappings", "app.sage.sandbox"),
    "app/sage/kernel.py": (),
    "app/sage/mappings.py": ("app.sage.kernel",),
    "app/sage/sandbox.py": ("app.sage.kernel", "app.wire.messages_pb2"),
    "app/sage/places.py": (),
    "app/sage/run_counts.py": (),
    "app/sage/processes.py": (),
    "app/sage/cgroups.py": (),
    "app/sage/proxy.py": (),
    "app/sage/statements.py": (),
    "app/sage/prompt.py": ("app.sage.statements", "app.wire.messages_pb2"),
    "app/sage/rendering.py": ("app.sage.usage", "app.wire.messages_pb2"),
    "app/sage/caller.py": ("app.wire",),
    "app/sage/console.py": ("app.layout", "app.sage", "app.settings", "app.token", "app.wire"),
    "app/sage/": ("app.sage", "app.accounts", "app.attempts", "app.burials", "app.settings",
                  "app.db", "app.folders", "app.limits", "app.listener", "app.loop",
                  "app.mining", "app.roles",
                  "app.skew", "app.token", "app.wire"),
    "app/web/": ("app.web", "app.accounts", "app.assets", "app.attempts", "app.audit",
                 "app.changes", "app.classes", "app.collected", "app.comments", "app.copies",
                 "app.documents", "app.dropbox", "app.dropbox_accounts", "app.oversight",
                 "app.parcel",
                 "app.exchange", "app.folders", "app.handouts", "app.rounds",
                 "app.guide", "app.identities", "app.join_codes", "app.limits",
                 "app.manuscript", "app.markdown", "app.mining", "app.notebooks", "app.sagews",
                 "app.scripts",
                 "app.prose", "app.shares", "app.standalone", "app.takeout",
                 "app.passwords", "app.people", "app.permissions", "app.roles",
                 "app.worksheets", "app.browsers", "app.db", "app.delivery", "app.downloads",
                 "app.evaluations", "app.live_sessions", "app.loop", "app.merging", "app.nodes",
                 "app.texts",
                 "app.quantities", "app.servers", "app.sessions",
                 "app.settings", "app.token", "app.wire", "app.words"),
    "monitor/": ("monitor", "app.balance", "app.settings", "app.db", "app.cache", "app.loop",
                 "app.moments", "app.quantities", "app.skew"),
    "supervisor/": ("supervisor", "app.assets", "app.layout", "app.listener", "app.loop",
                    "app.settings", "app.quantities", "app.token", "app.watched_file", "app.wire",
                    "app.words"),
    "salvus.py": ("app", "monitor", "supervisor"),
    "gunicorn.conf.py": ("app.green", "app.settings", "salvus"),
}
PLAIN_PACKAGES = {"IPython", "traitlets", "google", "sage", "sympy", "matplotlib",
                  "matplotlib_inline", "PIL", "app"}


def ours() -> list[str]:
    found = [*ROOT.glob("*.py"), *(ROOT / "app").rglob("*.py")]
    found += [*(ROOT / "monitor").rglob("*.py"), *(ROOT / "supervisor").rglob("*.py")]
    names = [path.relative_to(ROOT).as_posix() for path in found]
    return sorted(name for name in names if not name.endswith(("__init__.py", "_pb2.py")))


def imports(path: Path) -> set[str]:
    """Modules that a file imports, also inside functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if module in ("app", "app.sage", "supervisor", "monitor"):
                found |= {f"{module}.{alias.name}" for alias in node.names}
            else:
                found.add(module)
    return found


def allowed_for(name: str) -> tuple[str, ...]:
    if name in ALLOWED:
        return ALLOWED[name]
    folder = next(key for key in ALLOWED if key.endswith("/") and name.startswith(key))
    return ALLOWED[folder]


@pytest.mark.parametrize("name", ours())
def test_imports_run_one_way(name: str) -> None:
    allowed = allowed_for(name)
    for module in imports(ROOT / name):
        if module.split(".")[0] in ("app", "monitor", "supervisor", "salvus"):
            assert any(module == each or module.startswith(f"{each}.") for each in allowed), (
                f"{name} must not import {module}"
            )


@pytest.mark.parametrize("name", ["splitter", "files", "language", "display", "tracebacks",
                                  "backend", "dialects", "figures", "loading", "controls",
                                  "abbreviations", "interact", "worker", "zygote", "sandbox",
                                  "kernel", "mappings"])
def test_sage_s_side_needs_only_what_sage_has(name: str) -> None:
    for module in imports(ROOT / "app" / "sage" / f"{name}.py"):
        top = module.split(".")[0]
        assert top in PLAIN_PACKAGES or top in sys.stdlib_module_names
