"""A notify socket, as systemd holds it: prints each message as a line of JSON, an array of its lines."""

import array
import json
import os
import socket
import sys

receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.bind(sys.argv[1])
print("[]", flush=True)
while True:
    message, ancillary, _flags, _address = receiver.recvmsg(65536, socket.CMSG_SPACE(16))
    for level, kind, data in ancillary:
        # Who sends BARRIER=1 waits until its descriptor is closed here.
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptors = array.array("i")
            descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
            for descriptor in descriptors:
                os.close(descriptor)
    print(json.dumps(message.decode().strip().split("\n")), flush=True)
