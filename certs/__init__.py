"""X.509 and SPIFFE as a pure library: no asyncio, no network, no Kubernetes, no clock; files only where it says so.

Import from its modules: `spiffe` (identities), `keys`, `pem`, `csr`, `ca` (sign), `plugged_in` (an operator's CA),
`bundle` (roots per trust domain), `path` and `verify` (proof), `tls` (key pairs), `rotation`, `describe`, `files`,
`errors`. Nothing is re-exported here, so that an agent loads only what it uses.
"""
