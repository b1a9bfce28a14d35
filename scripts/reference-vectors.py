"""Known answers for the core's tests, asked of an installed tahoe-lafs 1.20.0.

    .venv/bin/python scripts/reference-vectors.py > test/vectors/reference.json

Deterministic: the same reference gives the same file.
"""

import hashlib
import json
import sys

from allmydata import hashtree, uri
from allmydata.immutable.layout import WriteBucketProxy  # noqa: F401  (fails early where the reference is not 1.20)
from allmydata.util import base32, hashutil, netstring


def b(text):
    return text.encode("ascii")


def hexed(data):
    return data.hex()


def derivations():
    key = bytes(range(16))
    secret = bytes(range(32))
    tub = bytes(range(20))
    si = hashutil.storage_index_hash(key)
    client_renew = hashutil.my_renewal_secret_hash(secret)
    client_cancel = hashutil.my_cancel_secret_hash(secret)
    file_renew = hashutil.file_renewal_secret_hash(client_renew, si)
    file_cancel = hashutil.file_cancel_secret_hash(client_cancel, si)
    readkey = hashutil.ssk_readkey_hash(key)
    return {
        "taggedHash": hexed(hashutil.tagged_hash(b"tag", b"value")),
        "taggedHash16": hexed(hashutil.tagged_hash(b"tag", b"value", 16)),
        "taggedPairHash": hexed(hashutil.tagged_pair_hash(b"tag", b"a", b"bb")),
        "key": hexed(key),
        "storageIndex": hexed(si),
        "convergence": [
            {
                "needed": k, "total": n, "segmentSize": s, "secret": hexed(c), "plaintext": hexed(p),
                "key": hexed(hashutil.convergence_hash(k, n, s, p, c)),
            }
            for (k, n, s, c, p) in [
                (3, 10, 1000, b"", b"x" * 100),
                (3, 10, 131073, secret, b""),
                (25, 100, 1024, b"converge", b"data"),
            ]
        ],
        "block": hexed(hashutil.block_hash(b"block")),
        "crypttext": hexed(hashutil.crypttext_hash(b"crypttext")),
        "crypttextSegment": hexed(hashutil.crypttext_segment_hash(b"segment")),
        "ueb": hexed(hashutil.uri_extension_hash(b"ueb")),
        "mutableReadKey": hexed(readkey),
        "mutableStorageIndex": hexed(hashutil.ssk_storage_index_hash(readkey)),
        "leaseSecret": hexed(secret),
        "tubId": hexed(tub),
        "bucketRenewSecret": hexed(hashutil.bucket_renewal_secret_hash(file_renew, tub)),
        "bucketCancelSecret": hexed(hashutil.bucket_cancel_secret_hash(file_cancel, tub)),
    }


def trees():
    made = []
    for count in [0, 1, 2, 3, 4, 5, 7, 8, 9, 31, 33]:
        leaves = [hashlib.sha256(b"leaf %d" % i).digest() for i in range(count)]
        tree = hashtree.HashTree(leaves)
        incomplete = hashtree.IncompleteHashTree(max(1, count))
        needed = [sorted(incomplete.needed_hashes(i)) for i in range(count)] if count else []
        digest = hashlib.sha256(b"".join(tree)).hexdigest()
        made.append({"leafCount": count, "nodeCount": len(tree), "root": hexed(tree[0]), "nodesSha256": digest, "needed": needed})
    return made


def describe(cap):
    """How the reference reads a string: its class, its canonical form, what it grants."""
    made = uri.from_string(cap)
    error = getattr(made, "_error", None)
    described = {
        "text": cap,
        "kind": type(made).__name__,
        "error": type(error).__name__ if error is not None else None,
    }
    if not isinstance(made, uri.UnknownURI):
        described["canonical"] = made.to_string().decode("ascii")
        described["mutable"] = bool(made.is_mutable())
        described["readonly"] = bool(made.is_readonly())
        for name, method in [("read", "get_readonly"), ("verify", "get_verify_cap")]:
            try:
                other = getattr(made, method, lambda: None)()
                described[name] = other.to_string().decode("ascii") if other is not None else None
            except AssertionError:
                pass  # 1.20.0 cannot print the verify cap of an MDMF directory: no answer
        index = made.get_storage_index() if hasattr(made, "get_storage_index") else None
        described["storageIndex"] = hexed(index) if index is not None else None
    return described


def capabilities():
    key = base32.b2a(bytes(range(16))).decode()
    key2 = base32.b2a(bytes([0xFF] * 16)).decode()
    fp = base32.b2a(bytes(range(100, 132))).decode()
    chk = f"{key}:{fp}:3:10:1234567"
    bodies = {
        "CHK": chk, "CHK-Verifier": chk, "LIT": "krugkidfnzsa", "SSK": f"{key}:{fp}", "SSK-RO": f"{key2}:{fp}",
        "SSK-Verifier": f"{key}:{fp}", "MDMF": f"{key}:{fp}", "MDMF-RO": f"{key}:{fp}", "MDMF-Verifier": f"{key}:{fp}",
        "DIR2": f"{key}:{fp}", "DIR2-RO": f"{key}:{fp}", "DIR2-Verifier": f"{key}:{fp}", "DIR2-MDMF": f"{key}:{fp}",
        "DIR2-MDMF-RO": f"{key}:{fp}", "DIR2-MDMF-Verifier": f"{key}:{fp}", "DIR2-CHK": chk,
        "DIR2-CHK-Verifier": chk, "DIR2-LIT": "krugkidfnzsa",
    }
    texts = []
    for name, body in bodies.items():
        whole = f"URI:{name}:{body}"
        texts += [whole, "ro." + whole, "imm." + whole, "ro.imm." + whole, whole[:-1], whole + "a", whole + ":3:131073",
                  whole.replace(":", "::", 1), f"URI:{name}:", f"URI:{name}", whole.upper(), " " + whole]
    texts += ["URI:LIT:", "URI:LIT:a", "URI:LIT:aa", "URI:LIT:ab", "URI:DIR2-LIT:", "", "x", "URI:", "URI:FUTURE:abc", "ro.", "imm.",
              "ro.URI:FUTURE:abc", "imm.URI:FUTURE:abc", "x-tahoe-future-test-writeable:1", "ro.x-tahoe-future-test-writeable:1",
              "imm.x-tahoe-future-test-writeable:1", "x-tahoe-future-test-mutable:1", "ro.x-tahoe-future-test-mutable:1",
              "imm.x-tahoe-future-test-mutable:1", f"URI:CHK:{key}:{fp}:03:010:0012", f"URI:CHK:{key}:{fp}:3:10:0",
              f"URI:CHK:{key}:{fp}:3:10:-1", f"URI:CHK:{key[:-1]}b:{fp}:3:10:5", f"URI:CHK:{key}:{fp}:3:10:5 "]
    return [describe(text) for text in texts]


def main():
    answers = {
        "origin": "tahoe-lafs 1.20.0, asked by scripts/reference-vectors.py",
        "netstring": [[hexed(x), hexed(netstring.netstring(x))] for x in [b"", b"abc", b"x" * 100]],
        "base32": [[hexed(x), base32.b2a(x).decode()] for x in [bytes(range(n)) for n in range(0, 21)]],
        "derivations": derivations(),
        "trees": trees(),
        "capabilities": capabilities(),
    }
    json.dump(answers, sys.stdout, indent=1, sort_keys=True)
    sys.stdout.write("\n")


main()
