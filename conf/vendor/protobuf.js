// What the page and its generated code use of protobuf-es, as one module.
export { create, fromBinary, toBinary } from "@bufbuild/protobuf"
export { enumDesc, fileDesc, messageDesc, tsEnum } from "@bufbuild/protobuf/codegenv2"
