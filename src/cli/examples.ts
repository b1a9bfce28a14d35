/**
 * An example or two for each command, for its help and its manual page. `tahoe` is the same program under the name
 * that scripts for Tahoe-LAFS know.
 */

/** By the words that name the command. */
export const examples: Readonly<Record<string, readonly string[]>> = {
  'create-node': [
    'tallac create-node --hostname=storage.example.org --introducer=pb://… ~/storage',
    'tallac create-node --listen=none --nickname=laptop',
  ],
  'create-client': [
    'tallac create-client --introducer=pb://… --shares-needed=1 --shares-happy=2 --shares-total=3',
    'tallac create-client --join=4-purple-sausages',
  ],
  'create-introducer': ['tallac create-introducer --listen=tcp --hostname=grid.example.org ~/introducer'],
  invite: ['tallac invite laptop-of-ann'],
  run: ['tallac run', 'tallac run --allow-stdin-close ~/storage < /dev/null'],
  start: ['tallac start', 'tallac -d ~/storage start'],
  stop: ['tallac stop', 'tallac stop ~/storage'],
  restart: ['tallac restart ~/storage'],
  reload: ['tallac reload', 'kill -HUP $(cut -d" " -f1 ~/.tahoe/running.process)'],
  health: ['tallac health && echo ready'],
  put: [
    'tallac put report.pdf',
    'tar c photos | tallac put - backups:photos.tar',
    'tallac put --format=MDMF log.txt home:log.txt',
  ],
  get: [
    'tallac get home:report.pdf report.pdf',
    'tallac get --continue home:film.mkv film.mkv',
    'tallac get --cap-file=report.cap - | less',
  ],
  mkdir: ['tallac mkdir home:photos/2024', 'tallac mkdir'],
  ls: ['tallac ls -l home:photos', 'tallac ls --json home: | jq .'],
  unlink: ['tallac unlink home:photos/old.jpg'],
  rm: ['tallac rm home:photos/old.jpg'],
  cp: ['tallac cp report.pdf home:', 'tallac cp -r ~/photos home:', 'tallac cp -r home:photos /tmp/photos'],
  mv: ['tallac mv home:draft.txt home:final.txt', 'tallac mv home:final.txt home:papers/'],
  ln: ['tallac ln home:photos/best.jpg home:album/'],
  backup: [
    'tallac backup ~/documents home:backups',
    "tallac backup --exclude='*.tmp' --exclude-vcs ~/src home:src",
    'tallac backup prune --keep-daily=7 --keep-monthly=12 home:backups',
  ],
  'create-alias': ['tallac create-alias home'],
  'add-alias': ['tallac add-alias shared URI:DIR2-RO:…', 'tallac add-alias shared - < shared.cap'],
  'list-aliases': ['tallac list-aliases', 'tallac list-aliases --readonly-uri --json'],
  check: ['tallac check --verify home:report.pdf', 'tallac check --repair --add-lease home:report.pdf'],
  'deep-check': ['tallac deep-check --repair --add-lease home:', 'tallac deep-check -v home:photos'],
  manifest: ['tallac manifest home:', 'tallac manifest --verify-cap home: > verify-caps'],
  stats: ['tallac stats home:'],
  status: ['tallac status', 'watch tallac status --verbose'],
  watch: [
    'tallac watch home:photos',
    'tallac watch --json home: | while read -r change; do tallac get home:todo todo; done',
  ],
  webopen: ['tallac webopen', 'tallac webopen home:photos'],
  demo: ['tallac demo'],
  doctor: ['tallac doctor', 'tallac doctor --json ~/storage'],
  'grid servers': ['tallac grid servers', 'tallac grid servers --json | jq .'],
  'admin generate-keypair': ['tallac admin generate-keypair'],
  'admin derive-pubkey': ['tallac admin derive-pubkey priv-v0-…'],
  'admin add-grid-manager-cert': [
    'tallac -d ~/storage admin add-grid-manager-cert --name=friends --filename=storage.cert.0',
  ],
  completion: ['tallac completion bash > ~/.local/share/bash-completion/completions/tallac'],
  'config explain': ['tallac config explain client.shares.needed', 'tallac config explain web.port'],
  'config render': ['tallac config render', 'tallac -d ~/storage config render --set'],
  'storage usage': ['tallac storage usage ~/storage'],
  'storage scrub': ['tallac storage scrub ~/storage'],
  'storage expire': ['tallac storage expire ~/storage'],
  'storage adopt': ['tallac storage adopt ~/storage'],
  'debug dump-share': ['tallac debug dump-share --offsets storage/shares/aa/aaaaaaaaaaaaaaaaaaaaaaaaaa/0'],
  'debug dump-cap': ['tallac debug dump-cap URI:CHK:…'],
  'debug find-shares': ['tallac debug find-shares aaaaaaaaaaaaaaaaaaaaaaaaaa ~/storage1 ~/storage2'],
  'debug catalog-shares': ['tallac debug catalog-shares ~/storage'],
  'debug flogtool': [
    'tallac debug flogtool dump ~/.tahoe/logs/incidents/incident-…',
    'tallac debug flogtool filter --above=WEIRD logs/tallac.log weird.flog',
  ],
  'debug corrupt-share': ['tallac debug corrupt-share /tmp/copy-of-a-share'],
};
