import { present } from '@spine/core';
import type { Asset, AssetDefinition, AssetMaterialization, AssetObservation } from '@spine/sdk';
import { durationCell, keyCell, timeCell } from '../../frame/cells.ts';
import { addCommand, addGroup, choice, option } from '../../frame/command.ts';
import type { Register } from '../../frame/command.ts';
import { readRequest } from '../../frame/input.ts';
import { addList } from '../../frame/list.ts';
import { DOMAIN, PARTITION, partitionFilter } from './filters.ts';

const FRESHNESS = ['fresh', 'stale', 'missing'] as const;
const DIRECTIONS = ['up', 'down', 'both'] as const;

export const registerAssets: Register = (program, context) => {
  const assets = addGroup(program, 'assets', 'what data there is, and what it was made from');
  addList<Asset>(assets, context, {
    usage: 'list',
    summary: 'list assets with how fresh they are',
    options: [
      DOMAIN,
      option('--prefix <text>', 'whose key begins so'),
      choice('--freshness <state>', 'that are so fresh', FRESHNESS),
    ],
    columns: [
      { head: 'ASSET', cell: ({ asset_key }) => asset_key },
      { head: 'DOMAIN', cell: ({ domain }) => domain },
      {
        head: 'FRESHNESS',
        cell: ({ freshness }) => freshness.status,
        style: ({ freshness }) => (freshness.status === 'fresh' ? 'green' : 'yellow'),
      },
      {
        head: 'LAG',
        cell: ({ freshness: { lag_seconds } }) =>
          lag_seconds === null ? null : durationCell(lag_seconds * 1_000),
        align: 'right',
      },
      {
        head: 'ROWS',
        cell: ({ latest_materialization }) => latest_materialization?.row_count,
        align: 'right',
      },
      {
        head: 'MADE',
        cell: ({ latest_materialization }) => timeCell(latest_materialization?.materialized_at),
      },
    ],
    none: 'no assets',
    cursor: true,
    ask: (client, { options }, position) => {
      const freshness = options.choice('freshness', FRESHNESS);
      return client.ledger.assets.list({
        ...present({
          domain: options.text('domain'),
          prefix: options.text('prefix'),
          freshness: freshness === undefined ? undefined : [freshness],
        }),
        ...position,
      });
    },
  });
  addCommand(assets, context, {
    usage: 'show <asset-key>',
    summary: 'show one asset',
    run: async ({ arg }, { client, out }) => out.fields(await (await client()).ledger.assets.get(arg(0))),
  });
  addList<AssetMaterialization>(assets, context, {
    usage: 'history <asset-key>',
    summary: 'list when an asset was made, newest first',
    options: [PARTITION],
    columns: [
      { head: 'MADE', cell: ({ materialized_at }) => timeCell(materialized_at) },
      { head: 'PARTITION', cell: ({ partition_key }) => keyCell(partition_key) },
      { head: 'ROWS', cell: ({ row_count }) => row_count, align: 'right' },
      { head: 'VERSION', cell: ({ data_version }) => data_version, max: 16 },
      { head: 'RUN', cell: ({ run_id }) => run_id },
    ],
    none: 'never made',
    cursor: true,
    ask: (client, { arg, options }, position) =>
      client.ledger.assets.materializations(arg(0), { ...partitionFilter(options), ...position }),
  });
  addCommand(assets, context, {
    usage: 'lineage <asset-key>',
    summary: 'show what an asset was made from, or what was made from it',
    options: [
      choice('--direction <way>', 'up: what it was made from (default: what the API says)', DIRECTIONS),
      option('--depth <steps>', 'how far'),
    ],
    run: async ({ arg, options }, { client, out }) => {
      const lineage = await (
        await client()
      ).ledger.assets.lineage(
        arg(0),
        present({
          direction: options.choice('direction', DIRECTIONS),
          depth: options.whole('depth', 1),
        }),
      );
      await out.fields(lineage);
    },
  });
  addList<AssetObservation>(assets, context, {
    usage: 'observations <asset-key>',
    summary: 'list what was seen of an asset that is made elsewhere, newest first',
    columns: [
      { head: 'SEEN', cell: ({ observed_at }) => timeCell(observed_at) },
      { head: 'PARTITION', cell: ({ partition_key }) => keyCell(partition_key) },
      { head: 'ROWS', cell: ({ row_count }) => row_count, align: 'right' },
      { head: 'VERSION', cell: ({ data_version }) => data_version, max: 16 },
      { head: 'BY', cell: ({ observed_by }) => observed_by },
    ],
    none: 'never seen',
    cursor: true,
    ask: (client, { arg }, position) => client.ledger.assets.observations(arg(0), position),
  });
  addCommand(assets, context, {
    usage: 'define <asset-key> <file>',
    summary: 'say what an asset is and how fresh it should be',
    details: 'The file is JSON as the API takes it: {"domain", "max_lag_seconds", …}; - is standard input.',
    run: async ({ arg }, { client, io, out }) => {
      const body = await readRequest<AssetDefinition>(io, arg(1), 'an asset', ['domain']);
      const defined = await (await client()).ledger.assets.define(arg(0), body);
      await out.answer(defined, `asset ${defined.asset_key} is defined\n`);
    },
  });
};
