"""Known answers for directories, asked of an installed tahoe-lafs 1.20.0.

    .venv/bin/python scripts/reference-directory-vectors.py > test/vectors/directories.json

`json`: metadata texts and what json.loads and json.dumps make of them. `floats`: doubles (8 bytes, big-endian, hex) and
their repr. `names`: names and the order of a packed directory. `updates`: update_metadata. `slots`: what a node maker
makes of the two capabilities of an entry, and what is stored of it. `sealed`: write slots. `directories`: children
packed with a write key and read back with it and without. `immutable`: children of immutable directories, their bytes
and the capability of an upload. `walks`: a tree, the order of its deep traversal and the deep stats. Deterministic.
"""

import base64
import json
import random
import struct
import sys

from twisted.internet import defer, reactor
from twisted.python import log as twisted_log

from allmydata import dirnode, uri
from allmydata.deep_stats import DeepStats
from allmydata.immutable import encode, upload
from allmydata.interfaces import MustBeDeepImmutableError
from allmydata.mutable.filenode import MutableFileNode
from allmydata.nodemaker import NodeMaker
from allmydata.unknown import UnknownNode, strip_prefix_for_ro
from allmydata.util import base32, hashutil
from allmydata.util import jsonbytes

WRITE_KEY = bytes(range(16))
CONVERGENCE = bytes(range(200, 232))
NOW = 1700000000.25


def b64(data):
    return base64.b64encode(data).decode("ascii")


def text_of(data):
    return None if data is None else data.decode("utf-8")


def cap(kind, number):
    key = base32.b2a(hashutil.tagged_hash(b"key", b"%d" % number, 16)).decode()
    fingerprint = base32.b2a(hashutil.tagged_hash(b"fingerprint", b"%d" % number)).decode()
    if kind.endswith("LIT"):
        return "URI:%s:%s" % (kind, base32.b2a(b"literal %d" % number).decode())
    if "CHK" in kind:
        return "URI:%s:%s:%s:3:10:%d" % (kind, key, fingerprint, 1000 * number + 7)
    return "URI:%s:%s:%s" % (kind, key, fingerprint)


KINDS = ["LIT", "CHK", "CHK-Verifier", "SSK", "SSK-RO", "SSK-Verifier", "MDMF", "MDMF-RO", "MDMF-Verifier", "DIR2", "DIR2-RO",
         "DIR2-Verifier", "DIR2-MDMF", "DIR2-MDMF-RO", "DIR2-MDMF-Verifier", "DIR2-CHK", "DIR2-CHK-Verifier", "DIR2-LIT"]


def make_node_maker(contents=None):
    class Node(MutableFileNode):
        def download_best_version(self, progress=None):
            return defer.succeed(contents[self.get_storage_index()])

        def get_size(self):
            return len(contents[self.get_storage_index()])

    class Maker(NodeMaker):
        def _create_mutable(self, made):
            return Node(None, None, {"k": 3, "n": 10}, None).init_from_cap(made)

    return Maker(None, None, None, None, None, {"k": 3, "n": 10}, None, None)


# ---- JSON ----------------------------------------------------------------------------------------------------------

JSON_TEXTS = [
    '{}', '{ }', '[]', '[ ]', 'null', 'true', 'false', '""', '"a"', ' {"a" : 1 , "b":[1,2 ,3]}\t\r\n', '{"b": 1, "a": 2, "b": 3}',
    '{"2": 1, "1": 2, "10": 3, "": 4}', '{"__proto__": {"x": 1}, "constructor": 2}', '0', '-0', '0.0', '-0.0', '1', '-1', '1.0', '1e0',
    '1E+2', '1e-2', '1e16', '1e15', '1e17', '123456789012345678', '1e-4', '1e-5', '1e-7', '1e22', '1e23', '0.1', '0.30000000000000004',
    '5e-324', '4.9e-324', '2e-324', '2.2250738585072014e-308', '1.7976931348623157e308', '1e309', '-1e400', '1e-400', '100000000000000000000.0',
    '9007199254740993', '9007199254740993.0', '18446744073709551616', '-18446744073709551617', '1' + '0' * 100, '9' * 4300, '9' * 4301,
    '-' + '9' * 4300, '-' + '9' * 4301, '1' + '0' * 5000 + '.5', 'NaN', 'Infinity', '-Infinity', '-NaN', 'nan', 'inf', '[NaN, Infinity, -Infinity]',
    '01', '-01', '00', '1.', '.5', '-.5', '+1', '1e', '1e+', '- 1', '0x10', '1_000', '1 2', '', ' ', '{', '}', '[', ']', '[1,]', '[,1]', '{"a"}',
    '{"a":}', '{"a":1,}', '{,}', '{a:1}', "{'a':1}", '{"a":1 "b":2}', '[1 2]', 'tru', 'True', 'None', 'nulll', '"', '"\\', '"\\"', '"\\x"', '"\\u"',
    '"\\u12"', '"\\u123g"', '"\\u00e9"', '"\\U000000e9"', '"\\ud83d\\ude00"', '"\\ud83d"', '"\\ude00\\ud83d"', '"\\ud83d\\u0041"', '"\\uD83D\\uDE00"',
    '"\\b\\f\\n\\r\\t\\/\\\\\\""', '"\\u0000\\u001f\\u007f\\u0080\\u009f\\u2028\\u2029\\uffff"', '"\x7f"', '"a\nb"', '"a\tb"', '"a\x00b"', '"a\x1fb"',
    '"\u00e9\u4e2d\u0915\u094d\u0937\U0001f600\U0010ffff"', '{"\u00e9": "\u00fc", "e\u0301": 1}', '\u00a0{}', '{}\u00a0', '{}\x0b', '{} x', '\ufeff{}',
    '[[[[[[[[[[[[1]]]]]]]]]]]]', '{"a": {"b": {"c": [{"d": null}]}}}', '"<>&\'/"', '[1.5, -2.5e10, 3e-10, 123456.789e3]', '"\u2028"', '[0.1e1]',
    '{"tahoe": {"linkcrtime": 1700000000.123, "linkmotime": 1700000000.5}}', '{"ctime": 1234567890, "mtime": 1234567890.75}',
    '[1e1, 1e2, 1e3, 12e-1, 0.00001234, 0.0001234, 1234567890123456.7, 12345678901234567.8, 1e21, 1e-323]', '[\u0661]', '1\u0661', '[1,\n2]', '/**/1', '"\\u00E9"',
    '"\\u 123"', '"\\u+123"', '"\\u1_23"', '\x00{}', '{}\x00',
]


def json_answers():
    answers = []
    for text in JSON_TEXTS:
        answer = {"text": text}
        try:
            value = json.loads(text.encode("utf-8"))
            answer["formatted"] = jsonbytes.dumps(value)
            if isinstance(value, dict):
                answer["keys"] = list(value)
        except (ValueError, RecursionError):
            answer["formatted"] = None
        answers.append(answer)
    return answers


def floats():
    rng = random.Random(1)
    values = [0.0, -0.0, 0.1, 1e16, 1e15, 9999999999999998.0, 1e-4, 1e-5, 0.00011, 1e-7, 1e22, 1e23, 5e-324, 2.0 ** 53, 2.0 ** 63, 2.0 ** 64, 2.0 ** -1074,
              2.2250738585072014e-308, 1.7976931348623157e308, 123456789.123456789, 1e100, 1 / 3, 2 / 3, 4.35, 0.3, 2.5, 9.5e-5, 1e21, 123e-20]
    values += [struct.unpack(">d", bytes(rng.randrange(256) for _ in range(8)))[0] for _ in range(300)]
    values += [rng.uniform(1.6e9, 1.8e9) for _ in range(60)] + [round(rng.uniform(1.6e9, 1.8e9), 3) for _ in range(60)]
    values += [2.0 ** rng.randrange(-1074, 1023) for _ in range(100)] + [10.0 ** e for e in range(-320, 309, 7)]
    return [[struct.pack(">d", value).hex(), json.dumps(value)] for value in values]


# ---- names and metadata --------------------------------------------------------------------------------------------

NAMES = ["a", "A", "b", "", " ", "a b", "a/b", ".", "..", "\u00e9", "e\u0302", "\u212b", "\u1e9b\u0323", "\u01c6", "\ufb01", "\u0915\u093c", "\u0958",
         "\u4e2d\u6587", "\u65e5\u672c\u8a9e", "\uac00", "\u1100\u1162", "\u0391\u03b8\u03ae\u03bd\u03b1", "\u05d0\u05d1", "\u0627\u0644", "\u0e44\u0e17\u0e22",
         "\uffff", "\ufffd", "\ue000", "\uf900", "\uff21", "\U0001f600", "\U00010000", "\U0010ffff", "\U0002f800", "\U0001f468\u200d\U0001f469", "a\u0000b", "a\nb",
         "a,b:c", "5:hello,", "z" * 300, "\u017f", "\U0001d15e", "\u0344", "\ud7ff", "\u0f73", "q\u0307\u0323", "q\u0323\u0307", "\u03d3", "\u0385"]


def names():
    packed = dirnode.pack_children({name: (make_node_maker().create_from_cap(None, cap("LIT", 0).encode()), {}) for name in NAMES}, None)
    order = []
    position = 0
    while position < len(packed):
        (entry,), position = dirnode.split_netstring(packed, 1, position)
        order.append(dirnode.split_netstring(entry, 1)[0][0].hex())
    return {"given": NAMES, "order": order}


METADATA = [
    None, {}, {"a": 1}, {"ctime": 1000000000.5, "mtime": 1000000001}, {"ctime": None}, {"tahoe": {}}, {"tahoe": {"linkcrtime": 5, "linkmotime": 6.0, "x": "y"}},
    {"tahoe": {"linkmotime": 6.0}, "ctime": 7}, {"b": 1, "tahoe": {"linkcrtime": 1.5}, "a": 2}, {"no-write": True}, {"tahoe": {"linkcrtime": None}, "z": [1, {"y": 2}]},
]


def updates():
    answers = []
    for old in METADATA:
        for new in METADATA:
            copies = [json.loads(json.dumps(each)) for each in (old, new)]
            answers.append({
                "old": None if old is None else json.dumps(old), "new": None if new is None else json.dumps(new),
                "result": json.dumps(dirnode.update_metadata(copies[0], copies[1], NOW)),
            })
    return answers


# ---- capabilities in slots -------------------------------------------------------------------------------------------

FUTURES = ["x-tahoe-future-test-writeable:1", "x-tahoe-future-test-mutable:1", "URI:FUTURE:1", "lafs://from_the_future", "URI:SSK:bad", "URI:CHK:bad", "x" * 200, "\u00e9"]


def slot_answers():
    """Every kind alone in either slot, with each prefix; then pairs."""
    singles = [cap(kind, 1) for kind in KINDS] + FUTURES
    prefixed = [prefix + each for each in singles for prefix in ("", "ro.", "imm.")]
    pairs = [(each, None) for each in prefixed] + [(None, each) for each in prefixed] + [(None, None), ("ro.imm." + FUTURES[3], None)]
    mixed = [cap("SSK", 1), cap("CHK", 1), FUTURES[0], FUTURES[2], FUTURES[4], "ro." + FUTURES[2], "imm." + FUTURES[2], cap("SSK-Verifier", 1)]
    others = mixed + [cap("SSK-RO", 1), "imm." + cap("CHK", 2), "ro." + cap("SSK", 2), "ro." + cap("SSK-RO", 2), "ro." + FUTURES[1], "imm." + FUTURES[1]]
    pairs += [(write, read) for write in mixed for read in others]
    maker = make_node_maker()
    answers = []
    for write, read in pairs:
        for deep_immutable in (False, True):
            node = maker.create_from_cap(write and write.encode("utf-8"), read and read.encode("utf-8"), deep_immutable=deep_immutable)
            answer = {"write": write, "read": read, "deepImmutable": deep_immutable}
            answers.append(answer)
            if not hasattr(node, "get_write_uri"):
                answer["node"] = "ciphertext"
                continue
            answer["node"] = "unknown" if isinstance(node, UnknownNode) else "known"
            error = getattr(node, "error", None)
            if error is not None:
                answer["error"] = type(error).__name__
                continue
            ro = node.get_readonly_uri()
            answer["writeUri"], answer["readUri"] = text_of(node.get_write_uri()), text_of(ro)
            answer["immutableAllowed"] = bool(node.is_allowed_in_immutable_directory())
            answer["stored"] = [text_of(strip_prefix_for_ro(ro or b"", immutable)) for immutable in (False, True)]
    return answers


def sealed():
    return [{"key": key.hex(), "plain": plain, "bytes": b64(dirnode._encrypt_rw_uri(key, plain.encode("ascii")))}
            for key in (WRITE_KEY, b"\xff" * 16) for plain in ("", cap("SSK", 1), cap("DIR2-MDMF", 2), "x" * 5000)]


# ---- whole directories ---------------------------------------------------------------------------------------------

def child(name, write=None, read=None, metadata="{}"):
    return {"name": name, "write": write, "read": read, "metadata": metadata}


def whole_directories():
    every = [child("%s %d" % (kind, i), cap(kind, i)) for i, kind in enumerate(KINDS) if "Verifier" not in kind]
    unknown = [child("both", FUTURES[0], FUTURES[1]), child("ro", None, FUTURES[2]), child("imm", None, "imm." + FUTURES[3]), child("prefixed", "ro." + FUTURES[3]),
               child("verifier", None, cap("SSK-Verifier", 3)), child("nothing"), child("bad write", FUTURES[4], cap("SSK-RO", 4)), child("non-ascii", None, "\u00e9 cap")]
    named = [child(name, cap("SSK", i) if i % 2 else None, None if i % 2 else cap("CHK", i)) for i, name in enumerate(NAMES)]
    with_metadata = [child("m%d" % i, None, cap("LIT", i), text) for i, text in enumerate(t for t in JSON_TEXTS if is_object(t))]
    cases = [[], every, unknown, named, with_metadata, every + unknown + with_metadata]
    return [whole_directory(children) for children in cases]


def is_object(text):
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def nodes_of(children, maker):
    return {each["name"]: (maker.create_from_cap(each["write"] and each["write"].encode("utf-8"), each["read"] and each["read"].encode("utf-8")),
                           json.loads(each["metadata"])) for each in children}


def listing(packed, made):
    maker = make_node_maker()
    directory = dirnode.DirectoryNode(maker._create_from_single_cap(made.get_filenode_cap()), maker, None)
    return [{"name": name, "write": text_of(node.get_write_uri()), "read": text_of(node.get_readonly_uri()), "metadata": json.dumps(metadata)}
            for name, (node, metadata) in sorted(directory._unpack_contents(packed).items())]


def whole_directory(children):
    packed = dirnode.pack_children(nodes_of(children, make_node_maker()), WRITE_KEY)
    writeable = uri.DirectoryURI(uri.WriteableSSKFileURI(WRITE_KEY, b"\x00" * 32))
    return {"writeKey": WRITE_KEY.hex(), "children": children, "packed": b64(packed),
            "asWriter": listing(packed, writeable), "asReader": listing(packed, writeable.get_readonly())}


class Shareholder(object):
    def __getattr__(self, name):
        return lambda *args: defer.succeed(None)

    def get_peerid(self):
        return b"peer"


@defer.inlineCallbacks
def immutable_directory(children):
    packed = dirnode.pack_children(nodes_of(children, make_node_maker()), None, deep_immutable=True)
    answer = {"children": children, "packed": b64(packed)}
    if len(packed) <= 55:
        made = uri.LiteralDirectoryURI(uri.LiteralFileURI(packed))
    else:
        data = upload.Data(packed, CONVERGENCE)
        data.set_default_encoding_parameters({"k": 3, "happy": 1, "n": 10, "max_segment_size": 1048576})
        encrypted = upload.EncryptAnUploadable(data)
        encoder = encode.Encoder()
        yield encoder.set_encrypted_uploadable(encrypted)
        shares = range(10)
        encoder.set_shareholders({i: Shareholder() for i in shares}, {i: {b"peer %d" % i} for i in shares})
        verify = yield encoder.start()
        key = yield data.get_encryption_key()
        made = uri.ImmutableDirectoryURI(uri.CHKFileURI(key, verify.uri_extension_hash, 3, 10, len(packed)))
    answer["capability"] = made.to_string().decode()
    answer["listing"] = listing(packed, made)
    defer.returnValue(answer)


@defer.inlineCallbacks
def immutable_directories():
    kinds = [kind for kind in KINDS if kind.endswith(("LIT", "CHK"))]
    known = [child("%s %d" % (kind, i), None, cap(kind, i)) for i, kind in enumerate(kinds)]
    stamped = [child("s%d" % i, None, cap("CHK", i), '{"ctime": %r, "mtime": %r, "n": %d}' % (1.7e9 + i / 7, 1.7e9, i)) for i in range(40)]
    unknown = [child("imm", None, "imm." + FUTURES[3]), child("ro", None, "ro." + FUTURES[2]), child("plain", None, FUTURES[2]), child("written", "imm." + FUTURES[2])]
    cases = [[], [child("a", None, "URI:LIT:me")], [child("\U0001f600", None, "URI:LIT:", "{}")], known, stamped, unknown,
             [child(name, None, cap("CHK", i)) for i, name in enumerate(NAMES)], [child("file %d" % i, None, cap("CHK", i)) for i in range(60)]]
    made = []
    for case in cases:
        answer = yield immutable_directory(case)
        made.append(answer)
    refused = []
    for kind in KINDS:
        if "Verifier" in kind or kind.endswith(("LIT", "CHK")):
            continue
        try:
            yield immutable_directory([child("x", None, cap(kind, 1))])
        except MustBeDeepImmutableError:
            refused.append(cap(kind, 1))
    defer.returnValue({"convergence": CONVERGENCE.hex(), "made": made, "refused": refused})


# ---- traversal -------------------------------------------------------------------------------------------------------

class Recorder(dirnode.ManifestWalker):
    def __init__(self, origin):
        dirnode.ManifestWalker.__init__(self, origin)
        self.events = []

    def add_node(self, node, path):
        verify, repair = node.get_verify_cap(), node.get_repair_cap()
        index = node.get_storage_index()
        self.events.append({"node": list(path), "cap": text_of(node.get_uri()), "verify": text_of(verify and verify.to_string()),
                            "repair": text_of(repair and repair.to_string()), "storageIndex": text_of(index and base32.b2a(index))})
        return dirnode.ManifestWalker.add_node(self, node, path)

    def enter_directory(self, parent, children):
        self.events.append({"entered": text_of(parent.get_uri()), "size": parent.get_size(), "children": len(children)})
        return dirnode.ManifestWalker.enter_directory(self, parent, children)


@defer.inlineCallbacks
def walk(trees):
    """trees: directory capability -> children. The first is the root."""
    contents = {}
    for text, children in trees.items():
        made = uri.from_string(text)
        key = getattr(made.get_filenode_cap(), "writekey", None)
        contents[made.get_storage_index()] = dirnode.pack_children(nodes_of(children, make_node_maker()), key)
    maker = make_node_maker(contents)
    walker = Recorder(maker.create_from_cap(next(iter(trees)).encode()))
    monitor = walker.origin.deep_traverse(walker)
    yield monitor.when_done()
    results = walker.get_results()
    defer.returnValue({
        "trees": [[text, b64(contents[uri.from_string(text).get_storage_index()])] for text in trees], "events": walker.events,
        "stats": results["stats"], "verifycaps": sorted(text_of(each) for each in results["verifycaps"]),
        "storageIndexes": sorted(text_of(each) for each in results["storage-index"]),
    })


def literal_directory(children):
    packed = dirnode.pack_children(nodes_of(children, make_node_maker()), None, deep_immutable=True)
    return uri.LiteralDirectoryURI(uri.LiteralFileURI(packed)).to_string().decode()


def random_tree(seed):
    rng = random.Random(seed)
    directories = [cap("DIR2", 100 * seed + i) for i in range(rng.randrange(1, 9))]
    read_only = [uri.from_string(each).get_readonly().to_string().decode() for each in directories]
    literal = literal_directory([child("x", None, cap("CHK", 1)), child("y", None, cap("LIT", 2))])
    files = [cap(kind, i) for kind in ("LIT", "CHK", "SSK", "SSK-RO", "MDMF") for i in range(3)]
    trees = {}
    for text in directories:
        names = rng.sample(NAMES, rng.randrange(12))
        trees[text] = []
        for name in names:
            kind = rng.randrange(10)
            if kind < 4:
                trees[text].append(child(name, rng.choice(directories + read_only)))
            elif kind < 8:
                trees[text].append(child(name, rng.choice(files)))
            elif kind == 8:
                trees[text].append(child(name, None, rng.choice([literal, literal_directory([])])))
            else:
                trees[text].append(child(name, None, rng.choice(FUTURES[1:4])))
    return trees


@defer.inlineCallbacks
def walks():
    made = []
    for seed in range(12):
        answer = yield walk(random_tree(seed))
        made.append(answer)
    stats = DeepStats(None)
    for power in range(64):
        stats.which_bucket(2 ** power)
    defer.returnValue({"trees": made, "buckets": [list(bucket) for bucket in stats.buckets if bucket[1] < 2 ** 53]})


@defer.inlineCallbacks
def answer_all():
    answers = {
        "origin": "tahoe-lafs 1.20.0, asked by scripts/reference-directory-vectors.py",
        "json": json_answers(), "floats": floats(), "names": names(), "now": NOW, "updates": updates(), "slots": slot_answers(), "sealed": sealed(),
        "directories": whole_directories(),
    }
    answers["immutable"] = yield immutable_directories()
    answers["walks"] = yield walks()
    json.dump(answers, sys.stdout, indent=1)
    sys.stdout.write("\n")


def main():
    twisted_log.startLoggingWithObserver(lambda event: None, setStdout=False)
    failures = []
    reactor.callWhenRunning(lambda: answer_all().addErrback(failures.append).addBoth(lambda _: reactor.stop()))
    reactor.run()
    for failure in failures:
        failure.printTraceback(sys.stderr)
        sys.exit(1)


main()
