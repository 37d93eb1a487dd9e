// Flags that several commands share.

import { Option } from 'commander';
import { DEFAULT_RUN_DIR } from '../../config/schema/nftlane-schema.ts';

export function nftOption(): Option {
  return new Option('--nft <program>', 'nft program, version 1.1 or later').env('NFTLANE_NFT').default('nft');
}

export function conntrackOption(): Option {
  const option = new Option('--conntrack <program>', 'conntrack program, which removes stale conntrack entries');
  return option.env('NFTLANE_CONNTRACK').default('conntrack');
}

export function runDirOption(): Option {
  return new Option('--run-dir <dir>', 'directory of the admin socket and the state files').default(DEFAULT_RUN_DIR);
}

export function outputOption(): Option {
  return new Option('-o, --output <format>', 'output format').choices(['text', 'json']).default('text');
}
