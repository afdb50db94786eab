"""The line editor of a console: history, several lines, completion, a line about the session."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterable
from pathlib import Path

import gevent
from prompt_toolkit import PromptSession
from prompt_toolkit.application import run_in_terminal
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.enums import DEFAULT_BUFFER
from prompt_toolkit.filters import has_focus
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.lexers import PygmentsLexer
from prompt_toolkit.styles import Style
from pygments.lexers.python import PythonLexer

from app.sage.statements import INDENT, indentation, is_complete
from app.wire.messages_pb2 import CompleteReply

REFRESH = 1.0  # seconds between two looks at what the last line says
TOUCH = 20.0  # seconds between two words that somebody is typing
STYLE = Style.from_dict({"bottom-toolbar": "noreverse ansibrightblack"})

Complete = Callable[[str, int], CompleteReply | None]


class Prompt:
    def __init__(
        self,
        *,
        sign: str,
        history: Path,
        complete: Complete,
        status: Callable[[], str],
        touched: Callable[[], None],
    ) -> None:
        """`sign`: what a line begins with; `status`: what the last line of the screen says;
        `touched`: called now and then while somebody types.
        """
        self._sign = sign
        self._touched, self._touched_at = touched, -TOUCH
        self._code: PromptSession[str] = PromptSession(
            history=_history(history),
            completer=_Completions(complete),
            complete_while_typing=False,
            lexer=PygmentsLexer(PythonLexer),
            style=STYLE,
            key_bindings=_keys(),
            multiline=True,
            prompt_continuation=f"{'.' * (len(sign) - 2)}: ",
            bottom_toolbar=status,
            refresh_interval=REFRESH,
        )
        self._code.default_buffer.on_text_changed += self._typed
        self._question: PromptSession[str] = PromptSession(history=InMemoryHistory())

    def read(self) -> str:
        """What is typed next. Raises KeyboardInterrupt at Ctrl-C, EOFError at Ctrl-D."""
        return self._code.prompt(self._sign, handle_sigint=False)

    def ask(self, question: str, *, password: bool) -> str:
        """The answer to a question. Raises as `read`, and EOFError when it is withdrawn."""
        return self._question.prompt(question, is_password=password, handle_sigint=False)

    def withdraw(self) -> None:
        """The question, if there is one, needs no answer any more."""
        app = self._question.app
        if app.is_running and app.loop is not None:
            app.loop.call_soon_threadsafe(lambda: app.exit(exception=EOFError()))

    def out_of_the_way(self, show: Callable[[], None]) -> None:
        """Have `show` print something, above the line that is being typed if there is one."""
        app = self._code.app
        if app.is_running and app.loop is not None:
            app.loop.call_soon_threadsafe(lambda: run_in_terminal(show))
        else:
            show()

    def _typed(self, buffer: Buffer) -> None:
        if time.monotonic() - self._touched_at > TOUCH:
            self._touched_at = time.monotonic()
            self._touched()


class _Completions(Completer):
    """What the session knows; the prompt goes on while it is asked."""

    def __init__(self, complete: Complete) -> None:
        self._complete = complete

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterable[Completion]:
        return ()

    async def get_completions_async(
        self, document: Document, complete_event: CompleteEvent
    ) -> AsyncGenerator[Completion, None]:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[CompleteReply | None] = loop.create_future()

        def deliver(reply: CompleteReply | None) -> None:
            if not answer.done():
                answer.set_result(reply)

        def fetch() -> None:
            reply = self._complete(document.text, document.cursor_position)
            loop.call_soon_threadsafe(deliver, reply)

        asking = gevent.spawn(fetch)
        try:
            reply = await answer
        finally:
            asking.kill(block=False)
        for match in reply.matches if reply else ():
            assert reply
            start = min(0, reply.start - document.cursor_position)
            yield Completion(match, start_position=start)


class _KeptHistory(FileHistory):
    """On a disk that takes no more, what is typed is remembered as long as we live."""

    def store_string(self, string: str) -> None:
        try:
            super().store_string(string)
        except OSError:
            pass


def _history(path: Path) -> History:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
    except OSError:
        return InMemoryHistory()
    return _KeptHistory(path)


def _keys() -> KeyBindings:
    keys = KeyBindings()
    typing = has_focus(DEFAULT_BUFFER)

    @keys.add("enter", filter=typing)
    def _(event: KeyPressEvent) -> None:
        """Run what is complete; else begin another line."""
        buffer = event.current_buffer
        document = buffer.document
        at_end = not document.text_after_cursor.strip("\n")
        if buffer.complete_state and buffer.complete_state.current_completion:
            buffer.complete_state = None  # it is taken
        elif (document.line_count == 1 or at_end) and is_complete(document.text):
            buffer.validate_and_handle()
        else:
            buffer.insert_text("\n" + indentation(document.text_before_cursor))

    @keys.add("tab", filter=typing)
    def _(event: KeyPressEvent) -> None:
        """Complete a word; indent where there is none."""
        buffer = event.current_buffer
        if not buffer.document.current_line_before_cursor.strip():
            buffer.insert_text(INDENT)
        elif buffer.complete_state:
            buffer.complete_next()
        else:
            buffer.start_completion(insert_common_part=True)

    return keys
