"""Whole shares of mutable files, published by an installed tahoe-lafs 1.20.0 onto a server in memory.

    PYTHON scripts/reference-mutable-share-vectors.py > test/vectors/mutable-shares.json     (with the reference's python)

Byte i of each file's contents is (31 * i + 7) % 256. `keys` are private keys as PKCS#8 DER: one made here, and one with
the public exponent 17 that older releases made. Salts and signatures are random: every run gives another file. MDMF
segments are made small, so that files of several segments stay short; readers find their size in the header.
"""

import base64
import json
import math
import sys

from cryptography.hazmat.primitives.asymmetric import rsa as raw_rsa
from twisted.internet import defer, task

from allmydata import client
from allmydata.crypto import rsa
from allmydata.interfaces import MDMF_VERSION, SDMF_VERSION
from allmydata.mutable import publish
from allmydata.mutable.publish import MutableData
from allmydata.nodemaker import NodeMaker

SEGMENT_SIZE = 90
publish.DEFAULT_MUTABLE_MAX_SEGMENT_SIZE = SEGMENT_SIZE


def b64(data):
    return base64.b64encode(data).decode("ascii")


def contents(size):
    return bytes((31 * i + 7) % 256 for i in range(size))


class Server(object):
    """One server, under the names that publish and servermap use of it."""

    def __init__(self):
        self.shares = {}

    def get_storage_server(self):
        return self

    def get_serverid(self):
        return b"s" * 20

    get_foolscap_write_enabler_seed = get_lease_seed = get_permutation_seed = get_serverid

    def get_name(self):
        return b"server"

    get_longname = get_nickname = get_name

    def upload_permitted(self):
        return True

    def slot_readv(self, storage_index, numbers, vectors):
        wanted = [n for n in self.shares if not numbers or n in numbers]
        return defer.succeed({n: [bytes(self.shares[n][o:o + s]) for (o, s) in vectors] for n in wanted})

    def slot_testv_and_readv_and_writev(self, storage_index, secrets, vectors, reads):
        for number, (tests, writes, new_length) in vectors.items():
            share = self.shares.setdefault(number, bytearray())
            for offset, data in writes:
                share.extend(bytes(max(0, offset + len(data) - len(share))))
                share[offset:offset + len(data)] = data
        return defer.succeed((True, {}))


class Broker(object):
    def __init__(self):
        self.server = Server()

    def get_servers_for_psi(self, storage_index, **kwargs):
        return [self.server]


def keypair(exponent):
    """With any exponent: the primes are those of an ordinary key."""
    while True:
        numbers = raw_rsa.generate_private_key(65537, 2048).private_numbers()
        p, q, phi = numbers.p, numbers.q, (numbers.p - 1) * (numbers.q - 1)
        if math.gcd(exponent, phi) == 1:
            break
    d = pow(exponent, -1, phi)
    public = raw_rsa.RSAPublicNumbers(exponent, p * q)
    private = raw_rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), public).private_key()
    return private.public_key(), private


CASES = [
    # format, needed, total, sizes published one after the other, the shares that are kept
    ("sdmf", 1, 1, [0], [0]),
    ("sdmf", 3, 10, [0], [0, 9]),
    ("mdmf", 1, 1, [0], [0]),
    ("mdmf", 3, 10, [0], [0, 9]),
    ("sdmf", 1, 1, [1], [0]),
    ("sdmf", 3, 10, [1], [0, 3, 9]),
    ("sdmf", 3, 10, [99], [0, 1, 2, 9]),
    ("sdmf", 3, 10, [10, 2000, 500], [2, 5, 7]),
    ("sdmf", 2, 3, [700], [0, 1, 2]),
    ("sdmf", 1, 255, [100], [0, 128, 254]),
    ("sdmf", 255, 255, [1000], [0, 254]),
    ("mdmf", 1, 1, [1], [0]),
    ("mdmf", 3, 10, [SEGMENT_SIZE], [0, 1, 2, 9]),
    ("mdmf", 3, 10, [SEGMENT_SIZE + 1], [0, 4, 8]),
    ("mdmf", 3, 10, [5 * SEGMENT_SIZE - 1], [1, 6, 9]),
    ("mdmf", 2, 3, [8 * SEGMENT_SIZE], [0, 1, 2]),
    ("mdmf", 4, 7, [100, 1000], [1, 3, 5, 6]),
    ("mdmf", 1, 255, [300], [0, 128, 254]),
]


@defer.inlineCallbacks
def main(reactor):
    pairs = [keypair(65537), keypair(17)]
    cases = []
    for i, (fmt, needed, total, sizes, kept) in enumerate(CASES):
        broker = Broker()
        maker = NodeMaker(
            broker, client.SecretHolder(b"lease secret", b"convergence secret"), None, None, None,
            {"k": needed, "n": total}, SDMF_VERSION, client.KeyGenerator())
        key = i % len(pairs)
        version = SDMF_VERSION if fmt == "sdmf" else MDMF_VERSION
        node = yield maker.create_mutable_file(MutableData(contents(sizes[0])), version=version, keypair=pairs[key])
        for size in sizes[1:]:
            yield node.overwrite(MutableData(contents(size)))
        shares = broker.server.shares
        assert sorted(shares) == list(range(total))
        cases.append({
            "format": fmt, "key": key, "needed": needed, "total": total,
            "sizeBytes": sizes[-1], "sequenceNumber": len(sizes),
            "capability": node.get_uri().decode("ascii"),
            "shares": {str(n): b64(bytes(shares[n])) for n in kept},
        })
    keys = [b64(rsa.der_string_from_signing_key(private)) for (_, private) in pairs]
    json.dump({"keys": keys, "cases": cases}, sys.stdout, indent=1)
    print()


task.react(main)
