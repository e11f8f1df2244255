"""The wire format of docs/protocol.md, written from that page alone.

| module | what it holds |
|---|---|
| rules | each rule that a receiver checks, with the reason for which it puts aside what breaks it |
| protobuf | the reader and the writer of protobuf messages |
| signature | keys, and texts signed as Lightning nodes sign them |
| frame | frames and their parts |
| zstd | compressed messages |
| content | messages as they stand in the joined, decoded bytes |
| record | the record of a payment: version, signature and frame, or a text |
| inbox | a receiver: messages from payments |
| receipt | receipts, written and verified |

Nothing here knows Lightning: a carrier sends and receives the records.
"""
