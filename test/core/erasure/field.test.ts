/** GF(2^8): every product against the bit-by-bit one, and every inverse. */
import t from 'tap';
import { exponentiate, invert, logarithm, multiply } from '#core/erasure/field.js';
import { range, slowMultiply } from './reference.js';

t.test('every product is that of polynomials modulo 0x11d', (t) => {
  const wrong = range(256 * 256).filter((i) => multiply(i >> 8, i & 255) !== slowMultiply(i >> 8, i & 255));
  t.same(wrong, []);
  t.end();
});

t.test('2 generates every element but zero', (t) => {
  t.equal(new Set(range(255).map(exponentiate)).size, 255);
  t.same(
    range(255).map((power) => logarithm(exponentiate(power))),
    range(255),
  );
  t.equal(exponentiate(255), 1);
  t.end();
});

t.test('every element but zero has its inverse', (t) => {
  const elements = range(256).slice(1);
  t.ok(elements.every((element) => multiply(element, invert(element)) === 1));
  t.end();
});
