/** What kind of file a name stands for, as browsers and programs are told. */

const typeByExtension: Readonly<Record<string, string>> = {
  '.aac': 'audio/aac',
  '.avi': 'video/x-msvideo',
  '.bmp': 'image/bmp',
  '.css': 'text/css',
  '.csv': 'text/csv',
  '.doc': 'application/msword',
  '.epub': 'application/epub+zip',
  '.gif': 'image/gif',
  '.htm': 'text/html',
  '.html': 'text/html',
  '.ico': 'image/vnd.microsoft.icon',
  '.jpeg': 'image/jpeg',
  '.jpg': 'image/jpeg',
  '.js': 'text/javascript',
  '.json': 'application/json',
  '.mov': 'video/quicktime',
  '.mp3': 'audio/mpeg',
  '.mp4': 'video/mp4',
  '.mpeg': 'video/mpeg',
  '.ogg': 'audio/ogg',
  '.pdf': 'application/pdf',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.tar': 'application/x-tar',
  '.tif': 'image/tiff',
  '.tiff': 'image/tiff',
  '.txt': 'text/plain',
  '.wasm': 'application/wasm',
  '.wav': 'audio/x-wav',
  '.webm': 'video/webm',
  '.webp': 'image/webp',
  '.xml': 'text/xml',
  '.zip': 'application/zip',
};
const encodingByExtension: Readonly<Record<string, string>> = { '.gz': 'gzip', '.bz2': 'bzip2' };

/** The headers that tell of a file by that name; plain text where it has none or says nothing. */
export function contentTypeHeaders(name = ''): Record<string, string> {
  const [rest, extension] = split(name);
  const encoding = encodingByExtension[extension];
  const [, inner] = split(rest);
  const type = typeByExtension[encoding === undefined ? extension : inner] ?? 'text/plain';
  return { 'content-type': type, ...(encoding === undefined ? {} : { 'content-encoding': encoding }) };
}

function split(name: string): [rest: string, extension: string] {
  const [extension = ''] = /(?<=[^.])\.[^./]*$/.exec(name) ?? [];
  return [name.slice(0, name.length - extension.length), extension.toLowerCase()];
}
