// Removing what we made.
import { Kernel } from '../apply/kernel.ts';
import { FAMILIES } from '../net/family.ts';
import { addTable, deleteTable } from '../nft/operation.ts';

/** Deletes our tables. They are added first, for deleting what is not there would fail, and nft 1.0 has no `destroy`. */
export async function cleanup(nft: string): Promise<void> {
  const kernel = new Kernel({ command: nft });
  await kernel.check();
  const operations = FAMILIES.flatMap((family) => [addTable(family), deleteTable(family)]);
  try {
    await kernel.run(operations.map((operation) => operation.line));
  } finally {
    kernel.close();
  }
}
