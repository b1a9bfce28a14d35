"""What an installed tahoe-lafs 1.20.0 makes of directories: a list of tasks as JSON on stdin, the answers on stdout.

unpack   {contents, kind: write | read | immutable}          -> {listing} or {error}
pack     {children, immutable}                               -> {contents} or {error}
change   {contents, now, change, first}                      -> {contents} or {error}

Contents and capabilities are base64, metadata JSON text. Answers come in the order of their tasks.
"""

import base64
import json
import sys

from twisted.python import log as twisted_log

from allmydata import dirnode, uri
from allmydata.nodemaker import NodeMaker
from allmydata.util import jsonbytes

WRITE_KEY = bytes(range(16))
WRITEABLE = uri.DirectoryURI(uri.WriteableSSKFileURI(WRITE_KEY, b"\x00" * 32))
IMMUTABLE = uri.ImmutableDirectoryURI(uri.CHKFileURI(b"\x00" * 16, b"\x00" * 32, 1, 1, 100))
DIRECTORIES = {"write": WRITEABLE, "read": WRITEABLE.get_readonly(), "immutable": IMMUTABLE}
OVERWRITES = {"anything": True, "nothing": False, "files": dirnode.ONLY_FILES}


def node_maker():
    return NodeMaker(None, None, None, None, None, {"k": 3, "n": 10}, None, None)


def directory_of(kind):
    maker = node_maker()
    return dirnode.DirectoryNode(maker._create_from_single_cap(DIRECTORIES[kind].get_filenode_cap()), maker, None)


def from_b64(text):
    return None if text is None else base64.b64decode(text)


def to_b64(data):
    return None if data is None else base64.b64encode(data).decode("ascii")


def node_of(child, name):
    return node_maker().create_from_cap(from_b64(child["write"]), from_b64(child["read"]), name=name)


def unpack(task):
    children = directory_of(task["kind"])._unpack_contents(from_b64(task["contents"]))
    return {"listing": [
        [name.encode("utf-8").hex(), to_b64(node.get_write_uri()), to_b64(node.get_readonly_uri()), jsonbytes.dumps(metadata)]
        for name, (node, metadata) in sorted(children.items())
    ]}


def pack(task):
    children = {each["name"]: (node_of(each, each["name"]), json.loads(each["metadata"])) for each in task["children"]}
    key = None if task["immutable"] else WRITE_KEY
    return {"contents": to_b64(dirnode.pack_children(children, key, deep_immutable=task["immutable"]))}


def modifier_of(directory, change):
    kind = change["kind"]
    if kind == "link":
        adder = dirnode.Adder(directory, overwrite=OVERWRITES[change["overwrite"]], create_readonly_node=directory._create_readonly_node)
        for link in change["links"]:
            metadata = link["metadata"]
            adder.set_node(link["name"], node_of(link, link["name"]), None if metadata is None else json.loads(metadata))
        return adder
    if kind == "unlink":
        must_be = change["mustBe"]
        return dirnode.Deleter(directory, change["name"], change["mustExist"], must_be == "directory", must_be == "file")
    return dirnode.MetadataSetter(directory, change["name"], json.loads(change["metadata"]), directory._create_readonly_node)


def change(task):
    dirnode.time.time = lambda: float(task["now"])
    old = from_b64(task["contents"])
    new = modifier_of(directory_of("write"), task["change"]).modify(old, None, task["first"])
    return {"contents": to_b64(old if new is None else new)}


def answer(task):
    try:
        return {"unpack": unpack, "pack": pack, "change": change}[task["task"]](task)
    except Exception as error:
        return {"error": type(error).__name__}


twisted_log.startLoggingWithObserver(lambda event: None, setStdout=False)
json.dump([answer(task) for task in json.load(sys.stdin)], sys.stdout)
