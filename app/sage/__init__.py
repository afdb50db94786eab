"""The sage role.

`pool`, `session`, `server` run in our own interpreter, under gevent. `zygote`, `worker`,
`display` run in Sage's, which may be another Python: they need the standard library,
protobuf and IPython only.
"""
