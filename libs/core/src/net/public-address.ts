/** Which addresses are on the public internet: nothing else is to be reached by a URL that somebody else has chosen. Pure. */
import { BlockList, isIP } from 'node:net';

/**
 * IANA special-purpose registries (RFC 6890 and its updates): this host, private, shared, loopback, link-local with the
 * metadata services of clouds, documentation, benchmarks, multicast, reserved.
 */
const SPECIAL_V4: readonly (readonly [network: string, prefix: number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
];

/** Of the global unicast addresses (2000::/3) those that are none, or that stand for an IPv4 address: Teredo, 6to4. */
const SPECIAL_V6: readonly (readonly [network: string, prefix: number])[] = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
];

const special = new BlockList();
for (const [network, prefix] of SPECIAL_V4) special.addSubnet(network, prefix, 'ipv4');
for (const [network, prefix] of SPECIAL_V6) special.addSubnet(network, prefix, 'ipv6');
const unicast = new BlockList();
unicast.addSubnet('2000::', 3, 'ipv6');

/** Whether `text` is an address, and one of the public internet. An IPv4 address written as IPv6 (`::ffff:1.2.3.4`) is none. */
export function isPublicAddress(text: string): boolean {
  switch (isIP(text)) {
    case 4:
      return !special.check(text, 'ipv4');
    case 6:
      return unicast.check(text, 'ipv6') && !special.check(text, 'ipv6');
    default:
      return false;
  }
}
