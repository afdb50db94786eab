"""Jupyter's notebooks (.ipynb, nbformat 4) to manuscripts and back.

What a notebook says that a worksheet has no place for stays with it as metadata: of the notebook,
of its cells, and the outputs as they were. Those are exported as long as they are what the cell
still shows; else its output is written anew.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import nbformat
from nbformat.reader import NotJSONError

from app.manuscript import Manuscript, NoManuscript, Part
from app.wire.messages_pb2 import Bundle, Finished, Frame, Stream, Traceback

FORMAT = 4
MINOR = 5  # the first with ids of cells
OURS = "salvus"  # our key in the metadata of a notebook and of a cell
KERNEL = {"name": "sagemath", "display_name": "SageMath", "language": "sage"}
TEXT = ("text/", "image/svg+xml")
JSON_SUFFIXES = ("/json", "+json")
STREAMS = {Stream.STDOUT: "stdout", Stream.STDERR: "stderr"}

Output = dict[str, Any]


def read(text: str, title: str) -> Manuscript:
    """The notebook in `text`, of any version of the format. Raises NoManuscript."""
    try:
        notebook = _mended(nbformat.reads(text, as_version=FORMAT))  # type: ignore[no-untyped-call]
    except NotJSONError:
        raise NoManuscript("It is no notebook: it is not JSON.") from None
    except Exception as error:  # each version's reader raises what it happens to stumble over
        raise NoManuscript(f"It is no notebook: {_first_line(error)}") from None
    plain = json.loads(json.dumps(notebook))
    return Manuscript(
        str(_group(plain["metadata"], OURS).get("title") or title),
        tuple(_part(cell) for cell in plain["cells"]),
        plain["metadata"],
    )


def _mended(notebook: dict[str, Any]) -> dict[str, Any]:
    """Without metadata of cells and notebook that the format forbids. Raises ValidationError."""
    if nbformat.validator.isvalid(notebook):  # type: ignore[no-untyped-call]
        return notebook
    mended: dict[str, Any]
    _, mended = nbformat.validator.normalize(notebook, strip_invalid_metadata=True)
    nbformat.validate(mended)
    return mended


def write(manuscript: Manuscript) -> str:
    """The manuscript as a notebook's text."""
    metadata = {"kernelspec": KERNEL, "language_info": {"name": "sage"}, **manuscript.metadata}
    notebook = {
        "nbformat": FORMAT,
        "nbformat_minor": MINOR,
        "metadata": {**metadata, OURS: {"title": manuscript.title}},
        "cells": [_cell(part, number) for number, part in enumerate(manuscript.parts)],
    }
    nbformat.validate(notebook)
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


# --- Cells ------------------------------------------------------------------------


def _part(cell: Mapping[str, Any]) -> Part:
    metadata = cell["metadata"]
    outputs = cell.get("outputs", [])
    kept = {name: cell[name] for name in ("metadata", "attachments", "id") if name in cell}
    if outputs or cell.get("execution_count") is not None:
        kept |= {"outputs": outputs, "execution_count": cell.get("execution_count")}
    return Part(
        kind=cell["cell_type"],
        code=cell["source"],
        frames=tuple(_frames(outputs)),
        folded=bool(_group(metadata, "jupyter").get("source_hidden")),
        output_folded=bool(
            _group(metadata, "jupyter").get("outputs_hidden") or metadata.get("collapsed")
        ),
        auto=bool(_group(metadata, OURS).get("auto")),
        metadata=kept,
    )


def _cell(part: Part, number: int) -> dict[str, Any]:
    kept = part.metadata
    metadata = {**kept.get("metadata", {})}
    _mark(metadata, "jupyter", "source_hidden", part.folded)
    if "collapsed" in metadata:  # as older notebooks say it
        metadata["collapsed"] = part.output_folded
    if "collapsed" not in metadata or "outputs_hidden" in _group(metadata, "jupyter"):
        _mark(metadata, "jupyter", "outputs_hidden", part.output_folded)
    _mark(metadata, OURS, "auto", part.auto)
    cell = {
        "cell_type": part.kind,
        "id": kept.get("id", f"cell-{number}"),
        "metadata": metadata,
        "source": part.code,
    }
    if part.kind != "code":
        return cell | {name: kept[name] for name in ("attachments",) if name in kept}
    outputs = _outputs(part.frames)
    original = kept.get("outputs", [])
    if outputs == _outputs(_frames(original)):
        return cell | {"outputs": original, "execution_count": kept.get("execution_count")}
    return cell | {"outputs": outputs, "execution_count": None}


def _mark(metadata: dict[str, Any], group: str, name: str, value: bool) -> None:
    """Say it if it is so, or if it was."""
    before = _group(metadata, group)
    if value or name in before:
        metadata[group] = {**before, name: value}


def _group(metadata: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """What it says below `name`, where anything may stand."""
    found = metadata.get(name)
    return found if isinstance(found, Mapping) else {}


# --- Output -----------------------------------------------------------------------


def _frames(outputs: Iterable[Mapping[str, Any]]) -> Iterable[Frame]:
    for output in outputs:
        kind = output["output_type"]
        if kind == "stream":
            name = Stream.STDERR if output["name"] == "stderr" else Stream.STDOUT
            yield Frame(stream=Stream(name=name, text=output["text"]))
        elif kind == "error":
            yield Frame(
                traceback=Traceback(
                    name=output["ename"],
                    value=output["evalue"],
                    text="\n".join(output["traceback"]),
                )
            )
            yield Frame(finished=Finished(status=Finished.ERROR))
        else:
            parts = [_bundled(*item) for item in output["data"].items()]
            yield Frame(bundle=Bundle(parts=parts, result=kind == "execute_result"))


def _outputs(frames: Iterable[Frame]) -> list[Output]:
    """As a notebook has them; what interacts show is not among them."""
    found: list[Output] = []
    clears = False  # as soon as something comes
    for frame in frames:
        if frame.area or frame.update:
            continue
        if frame.HasField("clear"):
            clears = frame.clear.wait
            found = found if clears else []
        elif (output := _output(frame)) is not None:
            found = _joined([] if clears else found, output)
            clears = False
    return found


def _output(frame: Frame) -> Output | None:
    if frame.HasField("stream"):
        stream = frame.stream
        return {"output_type": "stream", "name": STREAMS[stream.name], "text": stream.text}
    if frame.HasField("traceback"):
        error = frame.traceback
        return {
            "output_type": "error",
            "ename": error.name,
            "evalue": error.value,
            "traceback": error.text.split("\n"),
        }
    if not frame.HasField("bundle"):
        return None
    data = dict(_data(part) for part in frame.bundle.parts)
    if frame.bundle.result:
        return {
            "output_type": "execute_result", "data": data, "metadata": {}, "execution_count": None,
        }  # fmt: skip
    return {"output_type": "display_data", "data": data, "metadata": {}}


def _joined(outputs: Sequence[Output], output: Output) -> list[Output]:
    """With text that goes on with what was written before as one."""
    last = outputs[-1] if outputs else {}
    is_stream = output["output_type"] == "stream"
    if is_stream and last.get("name") == output["name"]:
        joined = {**last, "text": last["text"] + output["text"]}
        return [*outputs[:-1], joined]
    return [*outputs, output]


def _data(part: Bundle.Part) -> tuple[str, Any]:
    if part.type.endswith(JSON_SUFFIXES):
        return part.type, json.loads(part.data)
    if part.type.startswith(TEXT):
        return part.type, part.data.decode("utf-8", "replace")
    return part.type, base64.b64encode(part.data).decode("ascii") + "\n"


def _bundled(kind: str, value: Any) -> Bundle.Part:
    if kind.endswith(JSON_SUFFIXES):
        return Bundle.Part(type=kind, data=json.dumps(value).encode())
    if kind.startswith(TEXT):
        return Bundle.Part(type=kind, data=value.encode())
    try:
        return Bundle.Part(type=kind, data=base64.b64decode(value))
    except (binascii.Error, ValueError):
        return Bundle.Part(type=kind, data=value.encode())


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
