import { dataOf } from '../connection.ts';
import type { CallOptions, Connection } from '../connection.ts';
import type {
  AssetDefinition,
  AssetObservationRequest,
  GetLineageData,
  ListAssetsData,
  ListMaterializationsData,
  ListObservationsData,
} from '../generated/index.ts';
import { paged } from '../paging.ts';

type Query<D extends { query?: unknown }> = NonNullable<D['query']>;

/** What data there is and what it was made from. Keys may hold slashes. */
export function assets({ api, call }: Connection) {
  const path = (assetKey: string) => ({ path: { asset_key: assetKey } });
  return {
    list: (query?: Query<ListAssetsData>, options?: CallOptions) =>
      paged(query, (query) => api.listAssets({ ...call(options), query })),
    get: (assetKey: string, options?: CallOptions) =>
      dataOf(api.getAsset({ ...call(options), ...path(assetKey) })),
    define: (assetKey: string, body: AssetDefinition, options?: CallOptions) =>
      dataOf(api.defineAsset({ ...call(options), ...path(assetKey), body })),
    materializations: (assetKey: string, query?: Query<ListMaterializationsData>, options?: CallOptions) =>
      paged(query, (query) => api.listMaterializations({ ...call(options), ...path(assetKey), query })),
    observations: (assetKey: string, query?: Query<ListObservationsData>, options?: CallOptions) =>
      paged(query, (query) => api.listObservations({ ...call(options), ...path(assetKey), query })),
    observe: (assetKey: string, body: AssetObservationRequest, options?: CallOptions) =>
      dataOf(api.recordObservation({ ...call(options), ...path(assetKey), body })),
    lineage: (assetKey: string, query?: Query<GetLineageData>, options?: CallOptions) =>
      dataOf(api.getLineage({ ...call(options), ...path(assetKey), query })),
  };
}
