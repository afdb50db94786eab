from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CellKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CODE: _ClassVar[CellKind]
    MARKDOWN: _ClassVar[CellKind]
    RAW: _ClassVar[CellKind]
CODE: CellKind
MARKDOWN: CellKind
RAW: CellKind

class Message(_message.Message):
    __slots__ = ("channel", "hello", "refused", "ping", "pong", "attach", "detach", "ack", "gone", "active", "execute", "cancel", "interrupt", "restart", "complete", "inspect", "input_reply", "update", "end", "frame", "state", "complete_reply", "inspect_reply", "usage", "worksheet", "save_cell", "cell_saved", "cell", "saving", "evaluate", "evaluated", "read_file", "file_data", "fork", "forked", "signal", "exited", "ready", "files_changed", "here", "title", "opened", "order", "host_report", "progress", "log_text", "done", "draining", "challenge", "bye", "deliver", "reached", "notice")
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    HELLO_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    PING_FIELD_NUMBER: _ClassVar[int]
    PONG_FIELD_NUMBER: _ClassVar[int]
    ATTACH_FIELD_NUMBER: _ClassVar[int]
    DETACH_FIELD_NUMBER: _ClassVar[int]
    ACK_FIELD_NUMBER: _ClassVar[int]
    GONE_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_FIELD_NUMBER: _ClassVar[int]
    EXECUTE_FIELD_NUMBER: _ClassVar[int]
    CANCEL_FIELD_NUMBER: _ClassVar[int]
    INTERRUPT_FIELD_NUMBER: _ClassVar[int]
    RESTART_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_FIELD_NUMBER: _ClassVar[int]
    INSPECT_FIELD_NUMBER: _ClassVar[int]
    INPUT_REPLY_FIELD_NUMBER: _ClassVar[int]
    UPDATE_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    FRAME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_REPLY_FIELD_NUMBER: _ClassVar[int]
    INSPECT_REPLY_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    WORKSHEET_FIELD_NUMBER: _ClassVar[int]
    SAVE_CELL_FIELD_NUMBER: _ClassVar[int]
    CELL_SAVED_FIELD_NUMBER: _ClassVar[int]
    CELL_FIELD_NUMBER: _ClassVar[int]
    SAVING_FIELD_NUMBER: _ClassVar[int]
    EVALUATE_FIELD_NUMBER: _ClassVar[int]
    EVALUATED_FIELD_NUMBER: _ClassVar[int]
    READ_FILE_FIELD_NUMBER: _ClassVar[int]
    FILE_DATA_FIELD_NUMBER: _ClassVar[int]
    FORK_FIELD_NUMBER: _ClassVar[int]
    FORKED_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_FIELD_NUMBER: _ClassVar[int]
    EXITED_FIELD_NUMBER: _ClassVar[int]
    READY_FIELD_NUMBER: _ClassVar[int]
    FILES_CHANGED_FIELD_NUMBER: _ClassVar[int]
    HERE_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    OPENED_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    HOST_REPORT_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    LOG_TEXT_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    DRAINING_FIELD_NUMBER: _ClassVar[int]
    CHALLENGE_FIELD_NUMBER: _ClassVar[int]
    BYE_FIELD_NUMBER: _ClassVar[int]
    DELIVER_FIELD_NUMBER: _ClassVar[int]
    REACHED_FIELD_NUMBER: _ClassVar[int]
    NOTICE_FIELD_NUMBER: _ClassVar[int]
    channel: int
    hello: Hello
    refused: Refused
    ping: Ping
    pong: Pong
    attach: Attach
    detach: Detach
    ack: Ack
    gone: Gone
    active: Active
    execute: Execute
    cancel: Cancel
    interrupt: Interrupt
    restart: Restart
    complete: Complete
    inspect: Inspect
    input_reply: InputReply
    update: Update
    end: End
    frame: Frame
    state: State
    complete_reply: CompleteReply
    inspect_reply: InspectReply
    usage: Usage
    worksheet: Worksheet
    save_cell: SaveCell
    cell_saved: CellSaved
    cell: Cell
    saving: Saving
    evaluate: Evaluate
    evaluated: Evaluated
    read_file: ReadFile
    file_data: FileData
    fork: Fork
    forked: Forked
    signal: Signal
    exited: Exited
    ready: Ready
    files_changed: FilesChanged
    here: Here
    title: Title
    opened: Opened
    order: Order
    host_report: HostReport
    progress: Progress
    log_text: LogText
    done: Done
    draining: Draining
    challenge: Challenge
    bye: Bye
    deliver: Deliver
    reached: Reached
    notice: Notice
    def __init__(self, channel: _Optional[int] = ..., hello: _Optional[_Union[Hello, _Mapping]] = ..., refused: _Optional[_Union[Refused, _Mapping]] = ..., ping: _Optional[_Union[Ping, _Mapping]] = ..., pong: _Optional[_Union[Pong, _Mapping]] = ..., attach: _Optional[_Union[Attach, _Mapping]] = ..., detach: _Optional[_Union[Detach, _Mapping]] = ..., ack: _Optional[_Union[Ack, _Mapping]] = ..., gone: _Optional[_Union[Gone, _Mapping]] = ..., active: _Optional[_Union[Active, _Mapping]] = ..., execute: _Optional[_Union[Execute, _Mapping]] = ..., cancel: _Optional[_Union[Cancel, _Mapping]] = ..., interrupt: _Optional[_Union[Interrupt, _Mapping]] = ..., restart: _Optional[_Union[Restart, _Mapping]] = ..., complete: _Optional[_Union[Complete, _Mapping]] = ..., inspect: _Optional[_Union[Inspect, _Mapping]] = ..., input_reply: _Optional[_Union[InputReply, _Mapping]] = ..., update: _Optional[_Union[Update, _Mapping]] = ..., end: _Optional[_Union[End, _Mapping]] = ..., frame: _Optional[_Union[Frame, _Mapping]] = ..., state: _Optional[_Union[State, _Mapping]] = ..., complete_reply: _Optional[_Union[CompleteReply, _Mapping]] = ..., inspect_reply: _Optional[_Union[InspectReply, _Mapping]] = ..., usage: _Optional[_Union[Usage, _Mapping]] = ..., worksheet: _Optional[_Union[Worksheet, _Mapping]] = ..., save_cell: _Optional[_Union[SaveCell, _Mapping]] = ..., cell_saved: _Optional[_Union[CellSaved, _Mapping]] = ..., cell: _Optional[_Union[Cell, _Mapping]] = ..., saving: _Optional[_Union[Saving, _Mapping]] = ..., evaluate: _Optional[_Union[Evaluate, _Mapping]] = ..., evaluated: _Optional[_Union[Evaluated, _Mapping]] = ..., read_file: _Optional[_Union[ReadFile, _Mapping]] = ..., file_data: _Optional[_Union[FileData, _Mapping]] = ..., fork: _Optional[_Union[Fork, _Mapping]] = ..., forked: _Optional[_Union[Forked, _Mapping]] = ..., signal: _Optional[_Union[Signal, _Mapping]] = ..., exited: _Optional[_Union[Exited, _Mapping]] = ..., ready: _Optional[_Union[Ready, _Mapping]] = ..., files_changed: _Optional[_Union[FilesChanged, _Mapping]] = ..., here: _Optional[_Union[Here, _Mapping]] = ..., title: _Optional[_Union[Title, _Mapping]] = ..., opened: _Optional[_Union[Opened, _Mapping]] = ..., order: _Optional[_Union[Order, _Mapping]] = ..., host_report: _Optional[_Union[HostReport, _Mapping]] = ..., progress: _Optional[_Union[Progress, _Mapping]] = ..., log_text: _Optional[_Union[LogText, _Mapping]] = ..., done: _Optional[_Union[Done, _Mapping]] = ..., draining: _Optional[_Union[Draining, _Mapping]] = ..., challenge: _Optional[_Union[Challenge, _Mapping]] = ..., bye: _Optional[_Union[Bye, _Mapping]] = ..., deliver: _Optional[_Union[Deliver, _Mapping]] = ..., reached: _Optional[_Union[Reached, _Mapping]] = ..., notice: _Optional[_Union[Notice, _Mapping]] = ...) -> None: ...

class Hello(_message.Message):
    __slots__ = ("version", "node", "role", "protections", "language", "proof")
    class ProtectionsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    VERSION_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    PROTECTIONS_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    PROOF_FIELD_NUMBER: _ClassVar[int]
    version: int
    node: str
    role: str
    protections: _containers.ScalarMap[str, str]
    language: str
    proof: bytes
    def __init__(self, version: _Optional[int] = ..., node: _Optional[str] = ..., role: _Optional[str] = ..., protections: _Optional[_Mapping[str, str]] = ..., language: _Optional[str] = ..., proof: _Optional[bytes] = ...) -> None: ...

class Challenge(_message.Message):
    __slots__ = ("question",)
    QUESTION_FIELD_NUMBER: _ClassVar[int]
    question: bytes
    def __init__(self, question: _Optional[bytes] = ...) -> None: ...

class Bye(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Refused(_message.Message):
    __slots__ = ("reason", "about", "too_many")
    REASON_FIELD_NUMBER: _ClassVar[int]
    ABOUT_FIELD_NUMBER: _ClassVar[int]
    TOO_MANY_FIELD_NUMBER: _ClassVar[int]
    reason: str
    about: str
    too_many: TooMany
    def __init__(self, reason: _Optional[str] = ..., about: _Optional[str] = ..., too_many: _Optional[_Union[TooMany, _Mapping]] = ...) -> None: ...

class TooMany(_message.Message):
    __slots__ = ("allowed", "seconds", "network")
    ALLOWED_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    NETWORK_FIELD_NUMBER: _ClassVar[int]
    allowed: int
    seconds: float
    network: bool
    def __init__(self, allowed: _Optional[int] = ..., seconds: _Optional[float] = ..., network: _Optional[bool] = ...) -> None: ...

class Ping(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Pong(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Attach(_message.Message):
    __slots__ = ("worksheet", "session", "after", "complete", "account", "has_files", "kind", "address", "unproven")
    WORKSHEET_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    HAS_FILES_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    UNPROVEN_FIELD_NUMBER: _ClassVar[int]
    worksheet: str
    session: str
    after: int
    complete: bool
    account: str
    has_files: bool
    kind: str
    address: str
    unproven: bool
    def __init__(self, worksheet: _Optional[str] = ..., session: _Optional[str] = ..., after: _Optional[int] = ..., complete: _Optional[bool] = ..., account: _Optional[str] = ..., has_files: _Optional[bool] = ..., kind: _Optional[str] = ..., address: _Optional[str] = ..., unproven: _Optional[bool] = ...) -> None: ...

class Active(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Gone(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Detach(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Ack(_message.Message):
    __slots__ = ("session", "seq")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    session: str
    seq: int
    def __init__(self, session: _Optional[str] = ..., seq: _Optional[int] = ...) -> None: ...

class Execute(_message.Message):
    __slots__ = ("run", "cell", "code")
    RUN_FIELD_NUMBER: _ClassVar[int]
    CELL_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    run: str
    cell: str
    code: str
    def __init__(self, run: _Optional[str] = ..., cell: _Optional[str] = ..., code: _Optional[str] = ...) -> None: ...

class Cancel(_message.Message):
    __slots__ = ("run",)
    RUN_FIELD_NUMBER: _ClassVar[int]
    run: str
    def __init__(self, run: _Optional[str] = ...) -> None: ...

class Interrupt(_message.Message):
    __slots__ = ("run",)
    RUN_FIELD_NUMBER: _ClassVar[int]
    run: str
    def __init__(self, run: _Optional[str] = ...) -> None: ...

class Restart(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Complete(_message.Message):
    __slots__ = ("request", "code", "cursor")
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    request: str
    code: str
    cursor: int
    def __init__(self, request: _Optional[str] = ..., code: _Optional[str] = ..., cursor: _Optional[int] = ...) -> None: ...

class Inspect(_message.Message):
    __slots__ = ("request", "code", "cursor", "source")
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    request: str
    code: str
    cursor: int
    source: bool
    def __init__(self, request: _Optional[str] = ..., code: _Optional[str] = ..., cursor: _Optional[int] = ..., source: _Optional[bool] = ...) -> None: ...

class InputReply(_message.Message):
    __slots__ = ("run", "text")
    RUN_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    run: str
    text: str
    def __init__(self, run: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...

class Update(_message.Message):
    __slots__ = ("run", "interact", "number", "values")
    RUN_FIELD_NUMBER: _ClassVar[int]
    INTERACT_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    run: str
    interact: str
    number: int
    values: str
    def __init__(self, run: _Optional[str] = ..., interact: _Optional[str] = ..., number: _Optional[int] = ..., values: _Optional[str] = ...) -> None: ...

class End(_message.Message):
    __slots__ = ("reason",)
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: str
    def __init__(self, reason: _Optional[str] = ...) -> None: ...

class Frame(_message.Message):
    __slots__ = ("session", "run", "seq", "area", "update", "queued", "started", "stream", "bundle", "traceback", "clear", "input_request", "truncated", "finished", "interact", "values", "files")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    AREA_FIELD_NUMBER: _ClassVar[int]
    UPDATE_FIELD_NUMBER: _ClassVar[int]
    QUEUED_FIELD_NUMBER: _ClassVar[int]
    STARTED_FIELD_NUMBER: _ClassVar[int]
    STREAM_FIELD_NUMBER: _ClassVar[int]
    BUNDLE_FIELD_NUMBER: _ClassVar[int]
    TRACEBACK_FIELD_NUMBER: _ClassVar[int]
    CLEAR_FIELD_NUMBER: _ClassVar[int]
    INPUT_REQUEST_FIELD_NUMBER: _ClassVar[int]
    TRUNCATED_FIELD_NUMBER: _ClassVar[int]
    FINISHED_FIELD_NUMBER: _ClassVar[int]
    INTERACT_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    FILES_FIELD_NUMBER: _ClassVar[int]
    session: str
    run: str
    seq: int
    area: str
    update: int
    queued: Queued
    started: Started
    stream: Stream
    bundle: Bundle
    traceback: Traceback
    clear: Clear
    input_request: InputRequest
    truncated: Truncated
    finished: Finished
    interact: Interact
    values: Values
    files: Files
    def __init__(self, session: _Optional[str] = ..., run: _Optional[str] = ..., seq: _Optional[int] = ..., area: _Optional[str] = ..., update: _Optional[int] = ..., queued: _Optional[_Union[Queued, _Mapping]] = ..., started: _Optional[_Union[Started, _Mapping]] = ..., stream: _Optional[_Union[Stream, _Mapping]] = ..., bundle: _Optional[_Union[Bundle, _Mapping]] = ..., traceback: _Optional[_Union[Traceback, _Mapping]] = ..., clear: _Optional[_Union[Clear, _Mapping]] = ..., input_request: _Optional[_Union[InputRequest, _Mapping]] = ..., truncated: _Optional[_Union[Truncated, _Mapping]] = ..., finished: _Optional[_Union[Finished, _Mapping]] = ..., interact: _Optional[_Union[Interact, _Mapping]] = ..., values: _Optional[_Union[Values, _Mapping]] = ..., files: _Optional[_Union[Files, _Mapping]] = ...) -> None: ...

class Queued(_message.Message):
    __slots__ = ("cell", "code", "worksheet", "time")
    CELL_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    WORKSHEET_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    cell: str
    code: str
    worksheet: str
    time: float
    def __init__(self, cell: _Optional[str] = ..., code: _Optional[str] = ..., worksheet: _Optional[str] = ..., time: _Optional[float] = ...) -> None: ...

class Started(_message.Message):
    __slots__ = ("time",)
    TIME_FIELD_NUMBER: _ClassVar[int]
    time: float
    def __init__(self, time: _Optional[float] = ...) -> None: ...

class Stream(_message.Message):
    __slots__ = ("name", "text")
    class Name(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        STDOUT: _ClassVar[Stream.Name]
        STDERR: _ClassVar[Stream.Name]
    STDOUT: Stream.Name
    STDERR: Stream.Name
    NAME_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    name: Stream.Name
    text: str
    def __init__(self, name: _Optional[_Union[Stream.Name, str]] = ..., text: _Optional[str] = ...) -> None: ...

class Bundle(_message.Message):
    __slots__ = ("parts", "result")
    class Part(_message.Message):
        __slots__ = ("type", "data")
        TYPE_FIELD_NUMBER: _ClassVar[int]
        DATA_FIELD_NUMBER: _ClassVar[int]
        type: str
        data: bytes
        def __init__(self, type: _Optional[str] = ..., data: _Optional[bytes] = ...) -> None: ...
    PARTS_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    parts: _containers.RepeatedCompositeFieldContainer[Bundle.Part]
    result: bool
    def __init__(self, parts: _Optional[_Iterable[_Union[Bundle.Part, _Mapping]]] = ..., result: _Optional[bool] = ...) -> None: ...

class Traceback(_message.Message):
    __slots__ = ("name", "value", "text", "short")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    SHORT_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: str
    text: str
    short: str
    def __init__(self, name: _Optional[str] = ..., value: _Optional[str] = ..., text: _Optional[str] = ..., short: _Optional[str] = ...) -> None: ...

class Clear(_message.Message):
    __slots__ = ("wait",)
    WAIT_FIELD_NUMBER: _ClassVar[int]
    wait: bool
    def __init__(self, wait: _Optional[bool] = ...) -> None: ...

class InputRequest(_message.Message):
    __slots__ = ("prompt", "password")
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    PASSWORD_FIELD_NUMBER: _ClassVar[int]
    prompt: str
    password: bool
    def __init__(self, prompt: _Optional[str] = ..., password: _Optional[bool] = ...) -> None: ...

class Truncated(_message.Message):
    __slots__ = ("limit", "session")
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    limit: int
    session: bool
    def __init__(self, limit: _Optional[int] = ..., session: _Optional[bool] = ...) -> None: ...

class Interact(_message.Message):
    __slots__ = ("id", "controls", "manual", "layout")
    class Control(_message.Message):
        __slots__ = ("name", "label", "kind", "options", "value")
        NAME_FIELD_NUMBER: _ClassVar[int]
        LABEL_FIELD_NUMBER: _ClassVar[int]
        KIND_FIELD_NUMBER: _ClassVar[int]
        OPTIONS_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        name: str
        label: str
        kind: str
        options: str
        value: str
        def __init__(self, name: _Optional[str] = ..., label: _Optional[str] = ..., kind: _Optional[str] = ..., options: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    CONTROLS_FIELD_NUMBER: _ClassVar[int]
    MANUAL_FIELD_NUMBER: _ClassVar[int]
    LAYOUT_FIELD_NUMBER: _ClassVar[int]
    id: str
    controls: _containers.RepeatedCompositeFieldContainer[Interact.Control]
    manual: bool
    layout: str
    def __init__(self, id: _Optional[str] = ..., controls: _Optional[_Iterable[_Union[Interact.Control, _Mapping]]] = ..., manual: _Optional[bool] = ..., layout: _Optional[str] = ...) -> None: ...

class Values(_message.Message):
    __slots__ = ("values",)
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: str
    def __init__(self, values: _Optional[str] = ...) -> None: ...

class Files(_message.Message):
    __slots__ = ("files", "more")
    class File(_message.Message):
        __slots__ = ("path", "size")
        PATH_FIELD_NUMBER: _ClassVar[int]
        SIZE_FIELD_NUMBER: _ClassVar[int]
        path: str
        size: int
        def __init__(self, path: _Optional[str] = ..., size: _Optional[int] = ...) -> None: ...
    FILES_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    files: _containers.RepeatedCompositeFieldContainer[Files.File]
    more: int
    def __init__(self, files: _Optional[_Iterable[_Union[Files.File, _Mapping]]] = ..., more: _Optional[int] = ...) -> None: ...

class Finished(_message.Message):
    __slots__ = ("status", "reason", "time", "seconds")
    class Status(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        OK: _ClassVar[Finished.Status]
        ERROR: _ClassVar[Finished.Status]
        INTERRUPTED: _ClassVar[Finished.Status]
        CANCELLED: _ClassVar[Finished.Status]
        DIED: _ClassVar[Finished.Status]
    OK: Finished.Status
    ERROR: Finished.Status
    INTERRUPTED: Finished.Status
    CANCELLED: Finished.Status
    DIED: Finished.Status
    STATUS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    status: Finished.Status
    reason: str
    time: float
    seconds: float
    def __init__(self, status: _Optional[_Union[Finished.Status, str]] = ..., reason: _Optional[str] = ..., time: _Optional[float] = ..., seconds: _Optional[float] = ...) -> None: ...

class State(_message.Message):
    __slots__ = ("kind", "session", "reason", "run", "language", "time", "place", "ends_in")
    class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        NONE: _ClassVar[State.Kind]
        STARTING: _ClassVar[State.Kind]
        IDLE: _ClassVar[State.Kind]
        BUSY: _ClassVar[State.Kind]
        DEAD: _ClassVar[State.Kind]
        WAITING: _ClassVar[State.Kind]
    NONE: State.Kind
    STARTING: State.Kind
    IDLE: State.Kind
    BUSY: State.Kind
    DEAD: State.Kind
    WAITING: State.Kind
    KIND_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    PLACE_FIELD_NUMBER: _ClassVar[int]
    ENDS_IN_FIELD_NUMBER: _ClassVar[int]
    kind: State.Kind
    session: str
    reason: str
    run: str
    language: str
    time: float
    place: int
    ends_in: float
    def __init__(self, kind: _Optional[_Union[State.Kind, str]] = ..., session: _Optional[str] = ..., reason: _Optional[str] = ..., run: _Optional[str] = ..., language: _Optional[str] = ..., time: _Optional[float] = ..., place: _Optional[int] = ..., ends_in: _Optional[float] = ...) -> None: ...

class Usage(_message.Message):
    __slots__ = ("session", "meters")
    class Unit(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        COUNT: _ClassVar[Usage.Unit]
        BYTES: _ClassVar[Usage.Unit]
        SECONDS: _ClassVar[Usage.Unit]
    COUNT: Usage.Unit
    BYTES: Usage.Unit
    SECONDS: Usage.Unit
    class Meter(_message.Message):
        __slots__ = ("what", "used", "allowed", "unit")
        WHAT_FIELD_NUMBER: _ClassVar[int]
        USED_FIELD_NUMBER: _ClassVar[int]
        ALLOWED_FIELD_NUMBER: _ClassVar[int]
        UNIT_FIELD_NUMBER: _ClassVar[int]
        what: str
        used: float
        allowed: float
        unit: Usage.Unit
        def __init__(self, what: _Optional[str] = ..., used: _Optional[float] = ..., allowed: _Optional[float] = ..., unit: _Optional[_Union[Usage.Unit, str]] = ...) -> None: ...
    SESSION_FIELD_NUMBER: _ClassVar[int]
    METERS_FIELD_NUMBER: _ClassVar[int]
    session: str
    meters: _containers.RepeatedCompositeFieldContainer[Usage.Meter]
    def __init__(self, session: _Optional[str] = ..., meters: _Optional[_Iterable[_Union[Usage.Meter, _Mapping]]] = ...) -> None: ...

class CompleteReply(_message.Message):
    __slots__ = ("request", "start", "end", "matches", "busy", "partial")
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    MATCHES_FIELD_NUMBER: _ClassVar[int]
    BUSY_FIELD_NUMBER: _ClassVar[int]
    PARTIAL_FIELD_NUMBER: _ClassVar[int]
    request: str
    start: int
    end: int
    matches: _containers.RepeatedScalarFieldContainer[str]
    busy: bool
    partial: bool
    def __init__(self, request: _Optional[str] = ..., start: _Optional[int] = ..., end: _Optional[int] = ..., matches: _Optional[_Iterable[str]] = ..., busy: _Optional[bool] = ..., partial: _Optional[bool] = ...) -> None: ...

class InspectReply(_message.Message):
    __slots__ = ("request", "found", "text", "busy", "partial", "html")
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    FOUND_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    BUSY_FIELD_NUMBER: _ClassVar[int]
    PARTIAL_FIELD_NUMBER: _ClassVar[int]
    HTML_FIELD_NUMBER: _ClassVar[int]
    request: str
    found: bool
    text: str
    busy: bool
    partial: bool
    html: str
    def __init__(self, request: _Optional[str] = ..., found: _Optional[bool] = ..., text: _Optional[str] = ..., busy: _Optional[bool] = ..., partial: _Optional[bool] = ..., html: _Optional[str] = ...) -> None: ...

class Worksheet(_message.Message):
    __slots__ = ("id", "title", "cells", "stored")
    ID_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    CELLS_FIELD_NUMBER: _ClassVar[int]
    STORED_FIELD_NUMBER: _ClassVar[int]
    id: str
    title: str
    cells: _containers.RepeatedCompositeFieldContainer[Cell]
    stored: bool
    def __init__(self, id: _Optional[str] = ..., title: _Optional[str] = ..., cells: _Optional[_Iterable[_Union[Cell, _Mapping]]] = ..., stored: _Optional[bool] = ...) -> None: ...

class Title(_message.Message):
    __slots__ = ("title",)
    TITLE_FIELD_NUMBER: _ClassVar[int]
    title: str
    def __init__(self, title: _Optional[str] = ...) -> None: ...

class Cell(_message.Message):
    __slots__ = ("id", "position", "code", "revision", "run", "kind", "folded", "auto", "deleted", "text", "output_folded")
    ID_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    FOLDED_FIELD_NUMBER: _ClassVar[int]
    AUTO_FIELD_NUMBER: _ClassVar[int]
    DELETED_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FOLDED_FIELD_NUMBER: _ClassVar[int]
    id: str
    position: float
    code: str
    revision: int
    run: str
    kind: CellKind
    folded: bool
    auto: bool
    deleted: bool
    text: bytes
    output_folded: bool
    def __init__(self, id: _Optional[str] = ..., position: _Optional[float] = ..., code: _Optional[str] = ..., revision: _Optional[int] = ..., run: _Optional[str] = ..., kind: _Optional[_Union[CellKind, str]] = ..., folded: _Optional[bool] = ..., auto: _Optional[bool] = ..., deleted: _Optional[bool] = ..., text: _Optional[bytes] = ..., output_folded: _Optional[bool] = ...) -> None: ...

class SaveCell(_message.Message):
    __slots__ = ("id", "position", "code", "kind", "folded", "auto", "deleted", "text", "output_folded")
    ID_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    FOLDED_FIELD_NUMBER: _ClassVar[int]
    AUTO_FIELD_NUMBER: _ClassVar[int]
    DELETED_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FOLDED_FIELD_NUMBER: _ClassVar[int]
    id: str
    position: float
    code: str
    kind: CellKind
    folded: bool
    auto: bool
    deleted: bool
    text: bytes
    output_folded: bool
    def __init__(self, id: _Optional[str] = ..., position: _Optional[float] = ..., code: _Optional[str] = ..., kind: _Optional[_Union[CellKind, str]] = ..., folded: _Optional[bool] = ..., auto: _Optional[bool] = ..., deleted: _Optional[bool] = ..., text: _Optional[bytes] = ..., output_folded: _Optional[bool] = ...) -> None: ...

class CellSaved(_message.Message):
    __slots__ = ("id", "revision", "text")
    ID_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    id: str
    revision: int
    text: bytes
    def __init__(self, id: _Optional[str] = ..., revision: _Optional[int] = ..., text: _Optional[bytes] = ...) -> None: ...

class Here(_message.Message):
    __slots__ = ("browser", "name", "cell", "anchor", "head", "asks", "left")
    BROWSER_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    CELL_FIELD_NUMBER: _ClassVar[int]
    ANCHOR_FIELD_NUMBER: _ClassVar[int]
    HEAD_FIELD_NUMBER: _ClassVar[int]
    ASKS_FIELD_NUMBER: _ClassVar[int]
    LEFT_FIELD_NUMBER: _ClassVar[int]
    browser: str
    name: str
    cell: str
    anchor: bytes
    head: bytes
    asks: bool
    left: bool
    def __init__(self, browser: _Optional[str] = ..., name: _Optional[str] = ..., cell: _Optional[str] = ..., anchor: _Optional[bytes] = ..., head: _Optional[bytes] = ..., asks: _Optional[bool] = ..., left: _Optional[bool] = ...) -> None: ...

class Saving(_message.Message):
    __slots__ = ("delayed", "reason")
    DELAYED_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    delayed: bool
    reason: str
    def __init__(self, delayed: _Optional[bool] = ..., reason: _Optional[str] = ...) -> None: ...

class Evaluate(_message.Message):
    __slots__ = ("request", "code", "seconds", "kind", "account", "address")
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    request: str
    code: str
    seconds: float
    kind: str
    account: str
    address: str
    def __init__(self, request: _Optional[str] = ..., code: _Optional[str] = ..., seconds: _Optional[float] = ..., kind: _Optional[str] = ..., account: _Optional[str] = ..., address: _Optional[str] = ...) -> None: ...

class Evaluated(_message.Message):
    __slots__ = ("request", "success", "stdout", "stderr", "traceback", "failure", "language", "truncated", "result")
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    SUCCESS_FIELD_NUMBER: _ClassVar[int]
    STDOUT_FIELD_NUMBER: _ClassVar[int]
    STDERR_FIELD_NUMBER: _ClassVar[int]
    TRACEBACK_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    TRUNCATED_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    request: str
    success: bool
    stdout: str
    stderr: str
    traceback: Traceback
    failure: str
    language: str
    truncated: bool
    result: Bundle
    def __init__(self, request: _Optional[str] = ..., success: _Optional[bool] = ..., stdout: _Optional[str] = ..., stderr: _Optional[str] = ..., traceback: _Optional[_Union[Traceback, _Mapping]] = ..., failure: _Optional[str] = ..., language: _Optional[str] = ..., truncated: _Optional[bool] = ..., result: _Optional[_Union[Bundle, _Mapping]] = ...) -> None: ...

class ReadFile(_message.Message):
    __slots__ = ("request", "path", "offset", "worksheet")
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    WORKSHEET_FIELD_NUMBER: _ClassVar[int]
    request: str
    path: str
    offset: int
    worksheet: str
    def __init__(self, request: _Optional[str] = ..., path: _Optional[str] = ..., offset: _Optional[int] = ..., worksheet: _Optional[str] = ...) -> None: ...

class FilesChanged(_message.Message):
    __slots__ = ("worksheet",)
    WORKSHEET_FIELD_NUMBER: _ClassVar[int]
    worksheet: str
    def __init__(self, worksheet: _Optional[str] = ...) -> None: ...

class FileData(_message.Message):
    __slots__ = ("request", "data", "size", "failure")
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    request: str
    data: bytes
    size: int
    failure: str
    def __init__(self, request: _Optional[str] = ..., data: _Optional[bytes] = ..., size: _Optional[int] = ..., failure: _Optional[str] = ...) -> None: ...

class Fork(_message.Message):
    __slots__ = ("session", "mark", "number", "bounds", "cgroups")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    MARK_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    BOUNDS_FIELD_NUMBER: _ClassVar[int]
    CGROUPS_FIELD_NUMBER: _ClassVar[int]
    session: str
    mark: bytes
    number: int
    bounds: Bounds
    cgroups: int
    def __init__(self, session: _Optional[str] = ..., mark: _Optional[bytes] = ..., number: _Optional[int] = ..., bounds: _Optional[_Union[Bounds, _Mapping]] = ..., cgroups: _Optional[int] = ...) -> None: ...

class Bounds(_message.Message):
    __slots__ = ("memory", "processes", "files", "disk", "entries", "network")
    MEMORY_FIELD_NUMBER: _ClassVar[int]
    PROCESSES_FIELD_NUMBER: _ClassVar[int]
    FILES_FIELD_NUMBER: _ClassVar[int]
    DISK_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    NETWORK_FIELD_NUMBER: _ClassVar[int]
    memory: int
    processes: int
    files: int
    disk: int
    entries: int
    network: bool
    def __init__(self, memory: _Optional[int] = ..., processes: _Optional[int] = ..., files: _Optional[int] = ..., disk: _Optional[int] = ..., entries: _Optional[int] = ..., network: _Optional[bool] = ...) -> None: ...

class Forked(_message.Message):
    __slots__ = ("session", "pid")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    session: str
    pid: int
    def __init__(self, session: _Optional[str] = ..., pid: _Optional[int] = ...) -> None: ...

class Signal(_message.Message):
    __slots__ = ("session", "number")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    session: str
    number: int
    def __init__(self, session: _Optional[str] = ..., number: _Optional[int] = ...) -> None: ...

class Exited(_message.Message):
    __slots__ = ("session", "reason")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    session: str
    reason: str
    def __init__(self, session: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class Ready(_message.Message):
    __slots__ = ("language", "warning", "protections", "files")
    class ProtectionsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    WARNING_FIELD_NUMBER: _ClassVar[int]
    PROTECTIONS_FIELD_NUMBER: _ClassVar[int]
    FILES_FIELD_NUMBER: _ClassVar[int]
    language: str
    warning: str
    protections: _containers.ScalarMap[str, str]
    files: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, language: _Optional[str] = ..., warning: _Optional[str] = ..., protections: _Optional[_Mapping[str, str]] = ..., files: _Optional[_Iterable[str]] = ...) -> None: ...

class Opened(_message.Message):
    __slots__ = ("session", "worksheet", "server", "language", "time", "account", "kind", "address")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    WORKSHEET_FIELD_NUMBER: _ClassVar[int]
    SERVER_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    session: str
    worksheet: str
    server: str
    language: str
    time: float
    account: str
    kind: str
    address: str
    def __init__(self, session: _Optional[str] = ..., worksheet: _Optional[str] = ..., server: _Optional[str] = ..., language: _Optional[str] = ..., time: _Optional[float] = ..., account: _Optional[str] = ..., kind: _Optional[str] = ..., address: _Optional[str] = ...) -> None: ...

class Draining(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Order(_message.Message):
    __slots__ = ("verb", "services", "now", "lines", "follow")
    class Verb(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        STATUS: _ClassVar[Order.Verb]
        START: _ClassVar[Order.Verb]
        STOP: _ClassVar[Order.Verb]
        RESTART: _ClassVar[Order.Verb]
        RELOAD: _ClassVar[Order.Verb]
        LOGS: _ClassVar[Order.Verb]
    STATUS: Order.Verb
    START: Order.Verb
    STOP: Order.Verb
    RESTART: Order.Verb
    RELOAD: Order.Verb
    LOGS: Order.Verb
    VERB_FIELD_NUMBER: _ClassVar[int]
    SERVICES_FIELD_NUMBER: _ClassVar[int]
    NOW_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    FOLLOW_FIELD_NUMBER: _ClassVar[int]
    verb: Order.Verb
    services: _containers.RepeatedScalarFieldContainer[str]
    now: bool
    lines: int
    follow: bool
    def __init__(self, verb: _Optional[_Union[Order.Verb, str]] = ..., services: _Optional[_Iterable[str]] = ..., now: _Optional[bool] = ..., lines: _Optional[int] = ..., follow: _Optional[bool] = ...) -> None: ...

class HostReport(_message.Message):
    __slots__ = ("host", "pid", "seconds", "services", "notices")
    class Service(_message.Message):
        __slots__ = ("name", "type", "state", "reason", "wanted", "pid", "address", "port", "seconds", "deaths")
        NAME_FIELD_NUMBER: _ClassVar[int]
        TYPE_FIELD_NUMBER: _ClassVar[int]
        STATE_FIELD_NUMBER: _ClassVar[int]
        REASON_FIELD_NUMBER: _ClassVar[int]
        WANTED_FIELD_NUMBER: _ClassVar[int]
        PID_FIELD_NUMBER: _ClassVar[int]
        ADDRESS_FIELD_NUMBER: _ClassVar[int]
        PORT_FIELD_NUMBER: _ClassVar[int]
        SECONDS_FIELD_NUMBER: _ClassVar[int]
        DEATHS_FIELD_NUMBER: _ClassVar[int]
        name: str
        type: str
        state: str
        reason: str
        wanted: bool
        pid: int
        address: str
        port: int
        seconds: float
        deaths: int
        def __init__(self, name: _Optional[str] = ..., type: _Optional[str] = ..., state: _Optional[str] = ..., reason: _Optional[str] = ..., wanted: _Optional[bool] = ..., pid: _Optional[int] = ..., address: _Optional[str] = ..., port: _Optional[int] = ..., seconds: _Optional[float] = ..., deaths: _Optional[int] = ...) -> None: ...
    HOST_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    SERVICES_FIELD_NUMBER: _ClassVar[int]
    NOTICES_FIELD_NUMBER: _ClassVar[int]
    host: str
    pid: int
    seconds: float
    services: _containers.RepeatedCompositeFieldContainer[HostReport.Service]
    notices: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, host: _Optional[str] = ..., pid: _Optional[int] = ..., seconds: _Optional[float] = ..., services: _Optional[_Iterable[_Union[HostReport.Service, _Mapping]]] = ..., notices: _Optional[_Iterable[str]] = ...) -> None: ...

class Progress(_message.Message):
    __slots__ = ("service", "state", "reason")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    service: str
    state: str
    reason: str
    def __init__(self, service: _Optional[str] = ..., state: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class LogText(_message.Message):
    __slots__ = ("service", "text")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    service: str
    text: bytes
    def __init__(self, service: _Optional[str] = ..., text: _Optional[bytes] = ...) -> None: ...

class Done(_message.Message):
    __slots__ = ("failure",)
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    failure: str
    def __init__(self, failure: _Optional[str] = ...) -> None: ...

class Deliver(_message.Message):
    __slots__ = ("number", "browser", "account", "worksheet", "everyone", "without", "message", "hang_up")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    BROWSER_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    WORKSHEET_FIELD_NUMBER: _ClassVar[int]
    EVERYONE_FIELD_NUMBER: _ClassVar[int]
    WITHOUT_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    HANG_UP_FIELD_NUMBER: _ClassVar[int]
    number: int
    browser: str
    account: str
    worksheet: str
    everyone: bool
    without: str
    message: bytes
    hang_up: bool
    def __init__(self, number: _Optional[int] = ..., browser: _Optional[str] = ..., account: _Optional[str] = ..., worksheet: _Optional[str] = ..., everyone: _Optional[bool] = ..., without: _Optional[str] = ..., message: _Optional[bytes] = ..., hang_up: _Optional[bool] = ...) -> None: ...

class Reached(_message.Message):
    __slots__ = ("number", "browsers")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    BROWSERS_FIELD_NUMBER: _ClassVar[int]
    number: int
    browsers: int
    def __init__(self, number: _Optional[int] = ..., browsers: _Optional[int] = ...) -> None: ...

class Notice(_message.Message):
    __slots__ = ("text", "time")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    text: str
    time: float
    def __init__(self, text: _Optional[str] = ..., time: _Optional[float] = ...) -> None: ...
