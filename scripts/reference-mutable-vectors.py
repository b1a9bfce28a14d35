"""Known answers for mutable shares, asked of an installed tahoe-lafs 1.20.0.

    .venv/bin/python scripts/reference-mutable-vectors.py > test/vectors/mutable.json

`messages`: requests as the reference's client sends them and replies as its server does. `containers`: files that
MutableShareFile of either version wrote. `histories`: read-test-writes done by its StorageServer, one after the
other, with what it answered and the SHA-256 of every file it had afterwards. Deterministic.
"""

import base64
import hashlib
import json
import os
import random
import shutil
import struct
import sys
import tempfile

import cbor2
from twisted.internet.task import Clock
from twisted.python import log

from allmydata.storage import mutable_schema
from allmydata.storage.common import si_b2a, storage_index_to_dir
from allmydata.storage.http_client import ReadVector, TestVector, TestWriteVectors, WriteVector
from allmydata.storage.lease import LeaseInfo
from allmydata.storage.mutable import MutableShareFile
from allmydata.storage.server import StorageServer
from attrs import asdict

NOW = 1_700_000_000
NODE_ID = bytes(range(20))
ENABLER = bytes(range(100, 132))


def counting(start, size=32):
    return bytes((start + i) % 256 for i in range(size))


def b64(data):
    return base64.b64encode(data).decode("ascii")


def messages():
    """As StorageClientMutables and HTTPServer make them."""
    vectors = {
        0: TestWriteVectors(
            test_vectors=[TestVector(offset=0, size=1, specimen=b"")],
            write_vectors=[WriteVector(offset=0, data=b"hello"), WriteVector(offset=70000, data=counting(0, 300))],
            new_length=None,
        ),
        3: TestWriteVectors(test_vectors=[], write_vectors=[], new_length=0),
        255: TestWriteVectors(
            test_vectors=[TestVector(offset=2 ** 40, size=2 ** 32, specimen=counting(7, 41))],
            write_vectors=[WriteVector(offset=24, data=b"")],
            new_length=2 ** 33,
        ),
    }
    request = {
        "test-write-vectors": {number: each.asdict() for number, each in vectors.items()},
        "read-vector": [asdict(ReadVector(offset=0, size=1000)), asdict(ReadVector(offset=256, size=65536))],
    }
    empty = {"test-write-vectors": {}, "read-vector": []}
    replies = [{"success": True, "data": {}}, {"success": False, "data": {0: [b"", counting(0, 24)], 30: [b"x" * 256, b""]}}]
    return {
        "request": b64(cbor2.dumps(request)),
        "emptyRequest": b64(cbor2.dumps(empty)),
        "replies": [b64(cbor2.dumps(reply)) for reply in replies],
    }


def lease(number):
    return LeaseInfo(
        owner_num=1, renew_secret=counting(number), cancel_secret=counting(number + 32),
        expiration_time=NOW + 1000 * number, nodeid=NODE_ID,
    )


def containers(directory):
    made = []
    schemas = {schema.version: schema for schema in mutable_schema.ALL_SCHEMAS}
    for version in (1, 2):
        path = os.path.join(directory, "container-%d" % version)
        share = MutableShareFile(path, None, schemas[version])
        share.create(NODE_ID, ENABLER)
        share.parent = StubParent()

        def keep(what):
            with open(path, "rb") as f:
                made.append({"version": version, "what": what, "file": b64(f.read())})

        keep("new")
        share.writev([(0, b"hello")], None)
        keep("five bytes")
        for number in range(1, 5):
            share.add_or_renew_lease(10 ** 9, lease(number))
        keep("four leases")
        for number in range(5, 8):
            share.add_or_renew_lease(10 ** 9, lease(number))
        keep("seven leases")
        share.writev([(10, b"behind a hole")], None)
        keep("grown over the lease block")
        share.writev([], 7)
        keep("cut to seven")
        share.writev([(12, b"again")], None)
        keep("grown inside the container")
        share.cancel_lease(counting(2 + 32))
        share.cancel_lease(counting(6 + 32))
        keep("two leases cancelled")
        share.add_or_renew_lease(10 ** 9, lease(20))
        share.add_or_renew_lease(10 ** 9, lease(21))
        share.add_or_renew_lease(10 ** 9, lease(22))
        keep("three leases more")
        share.renew_lease(counting(1), NOW + 9_000_000)
        share.renew_lease(counting(21), NOW + 9_000_000)
        keep("two renewed")
    return made


class StubParent(object):
    def log(self, *args, **kwargs):
        pass


def random_request(rng, sizes):
    shares = {}
    for number in rng.sample(range(4), rng.choice([0, 1, 1, 1, 2, 3])):
        writes = []
        for _ in range(rng.choice([0, 1, 1, 2, 5])):
            offset = rng.choice([0, 0, rng.randrange(300), sizes.get(number, 0), rng.randrange(3000)])
            writes.append((offset, bytes(rng.randrange(256) for _ in range(rng.choice([0, 1, 50, 92, 372, 1000])))))
        length = rng.choice([None, None, None, None, 0, 1, rng.randrange(1500)])
        tests = []
        if rng.random() < 0.3:
            tests.append((rng.randrange(3), rng.randrange(3), rng.choice([b"", b"\0", bytes([rng.randrange(256)])])))
        shares[number] = (tests, writes, length)
    reads = [(rng.choice([0, rng.randrange(2000)]), rng.choice([0, 10, 5000])) for _ in range(rng.randrange(3))]
    return shares, reads


def history(directory, seed):
    rng = random.Random(seed)
    clock = Clock()
    clock.advance(NOW)
    server = StorageServer(directory, NODE_ID, clock=clock)
    index = hashlib.sha256(b"history %d" % seed).digest()[:16]
    where = os.path.join(server.sharedir, storage_index_to_dir(index))
    sizes, steps = {}, []
    for _ in range(14):
        clock.advance(rng.choice([0, 60, 86_400]))
        client = rng.randrange(7)
        shares, reads = random_request(rng, sizes)
        success, data = server.slot_testv_and_readv_and_writev(
            index,
            (ENABLER, counting(client), counting(client + 32)),
            {n: ([(o, s, b"eq", v) for o, s, v in t], w, length) for n, (t, w, length) in shares.items()},
            reads,
        )
        files = {}
        for name in sorted(os.listdir(where)) if os.path.isdir(where) else []:
            with open(os.path.join(where, name), "rb") as f:
                content = f.read()
            files[name] = hashlib.sha256(content).hexdigest()
            (sizes[int(name)],) = struct.unpack(">Q", content[84:92])
        steps.append({
            "now": int(clock.seconds()),
            "client": client,
            "request": b64(cbor2.dumps({
                "test-write-vectors": {
                    n: {
                        "test": [{"offset": o, "size": s, "specimen": v} for o, s, v in t],
                        "write": [{"offset": o, "data": d} for o, d in w],
                        "new-length": length,
                    } for n, (t, w, length) in shares.items()
                },
                "read-vector": [{"offset": o, "size": s} for o, s in reads],
            })),
            "success": success,
            "data": {str(n): [b64(piece) for piece in pieces] for n, pieces in sorted(data.items())},
            "files": files,
        })
    return {"storageIndex": b64(index), "steps": steps}


def main():
    log.startLoggingWithObserver(lambda event: None, setStdout=False)
    directory = tempfile.mkdtemp()
    try:
        json.dump({
            "messages": messages(),
            "nodeId": b64(NODE_ID),
            "writeEnabler": b64(ENABLER),
            "containers": containers(directory),
            "histories": [history(os.path.join(directory, "server-%d" % seed), seed) for seed in range(14)],
        }, sys.stdout, indent=1)
        sys.stdout.write("\n")
    finally:
        shutil.rmtree(directory)


main()
