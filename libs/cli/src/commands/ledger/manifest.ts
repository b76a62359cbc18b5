import { present } from '@spine/core';
import type { ManifestRow } from '@spine/sdk';
import { keyCell, timeCell } from '../../frame/cells.ts';
import { addGroup } from '../../frame/command.ts';
import type { Register } from '../../frame/command.ts';
import { addList } from '../../frame/list.ts';
import { DOMAIN, PARTITION, partitionFilter, STAGE } from './filters.ts';

export const registerManifest: Register = (program, context) => {
  const manifest = addGroup(program, 'manifest', 'which stage each partition has reached');
  addList<ManifestRow>(manifest, context, {
    usage: 'list',
    summary: 'list the stages of partitions',
    options: [DOMAIN, STAGE, PARTITION],
    examples: [
      'manifest list --domain finra.otc_transparency --partition tier=OTC --partition week_ending=2025-12-12',
    ],
    columns: [
      { head: 'DOMAIN', cell: ({ domain }) => domain },
      { head: 'PARTITION', cell: ({ partition_key }) => keyCell(partition_key) },
      { head: 'STAGE', cell: ({ stage }) => stage },
      { head: 'ROWS', cell: ({ row_count }) => row_count, align: 'right' },
      { head: 'UPDATED', cell: ({ updated_at }) => timeCell(updated_at) },
      { head: 'RUN', cell: ({ run_id }) => run_id },
    ],
    none: 'no partitions',
    cursor: true,
    ask: (client, { options }, position) =>
      client.ledger.manifest({
        ...present({ domain: options.text('domain'), stage: options.text('stage') }),
        ...partitionFilter(options),
        ...position,
      }),
  });
};
