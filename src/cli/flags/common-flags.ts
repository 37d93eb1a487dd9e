// Flags that several commands share.
import { Option } from 'commander';
import { DEFAULT_RUN_DIR } from '../../config/schema/nftlane-schema.ts';

export function nftOption(): Option {
  return new Option('--nft <program>', 'the nft to use, 1.1 or newer').env('NFTLANE_NFT').default('nft');
}

export function conntrackOption(): Option {
  const option = new Option('--conntrack <program>', 'the conntrack that removes stale UDP flows');
  return option.env('NFTLANE_CONNTRACK').default('conntrack');
}

export function runDirOption(): Option {
  return new Option('--run-dir <dir>', 'where the socket for inspection is').default(DEFAULT_RUN_DIR);
}

export function outputOption(): Option {
  return new Option('-o, --output <format>', 'how to print').choices(['text', 'json']).default('text');
}
