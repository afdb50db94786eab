// Messages of the wire protocol (app/wire/messages.proto) as bytes, and back.

import { create, fromBinary, toBinary } from "@bufbuild/protobuf"
import { MessageSchema } from "../wire/messages_pb.js"

export { CellKind, Finished_Status as Status, State_Kind as Kind, Stream_Name as StreamName, Usage_Unit as Unit } from "../wire/messages_pb.js"
export const VERSION = 1

/** The bytes of a message: pack("ping", {}). */
export function pack(kind, value) {
  return toBinary(MessageSchema, create(MessageSchema, { body: { case: kind, value } }))
}

/** {case, value} of the message in `bytes`; throws on what is none. */
export function unpack(bytes) {
  return fromBinary(MessageSchema, bytes).body
}
