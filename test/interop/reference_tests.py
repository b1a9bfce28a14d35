"""
Runs the reference's own tests of a storage server, which it holds against itself, against another one.

    python -m twisted.trial --rterrors reference_tests

TALLAC_NURL is the server's address, TALLAC_STORAGE its storage directory, and TALLAC_CLOCK the address of its clock:
GET /SECONDS there sets the clock forward and answers what it says then, in seconds since 1970.
"""
import os
from urllib.request import urlopen

import allmydata.test  # before all else: it sets the reference's tests up
from allmydata.storage.http_client import StorageClientFactory
from allmydata.storage.server import StorageServer
from allmydata.storage_client import _HTTPStorageServer
from allmydata.test import test_istorageserver as reference
from allmydata.test.common import AsyncTestCase
from hyperlink import DecodedURL
from twisted.internet import reactor
from twisted.internet.defer import DeferredList, ensureDeferred
from twisted.internet.task import deferLater

# How long the other end may take to close a connection.
CLOSE_SECONDS = 1


class Another:
    """A server that is another process, in place of one inside this one."""

    def setUp(self):
        AsyncTestCase.setUp(self)
        self.pools = []
        StorageClientFactory.start_test_mode(self.pools.append)
        return ensureDeferred(self.connect())

    async def connect(self):
        factory = StorageClientFactory({"tcp": "tcp"}, None)
        nurl = DecodedURL.from_text(os.environ["TALLAC_NURL"])
        client = await factory.create_storage_client(nurl, reactor)
        self.storage_client = _HTTPStorageServer.from_http_client(client)
        self.server = StorageServer(os.environ["TALLAC_STORAGE"], b"x" * 20)

    def tearDown(self):
        AsyncTestCase.tearDown(self)
        StorageClientFactory.stop_test_mode()
        closed = DeferredList([pool.closeCachedConnections() for pool in self.pools])
        return closed.addCallback(lambda _: deferLater(reactor, CLOSE_SECONDS, lambda: None))

    def fake_time(self):
        return self.clock(0)

    def fake_sleep(self, seconds):
        self.clock(seconds)

    def clock(self, seconds):
        with urlopen("%s/%d" % (os.environ["TALLAC_CLOCK"], seconds)) as reply:
            return float(reply.read())


class Shared(Another, reference.IStorageServerSharedAPIsTestsMixin, AsyncTestCase):
    pass


class Immutable(Another, reference.IStorageServerImmutableAPIsTestsMixin, AsyncTestCase):
    pass


class Mutable(Another, reference.IStorageServerMutableAPIsTestsMixin, AsyncTestCase):
    pass
