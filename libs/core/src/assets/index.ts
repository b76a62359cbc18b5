export {
  ASSET_KEY_LIMITS,
  assetKey,
  assetKeyParts,
  hasAssetKeyPrefix,
  isAssetKey,
  parseAssetKey,
  type AssetKey,
} from './asset-key.ts';
export {
  FRESHNESS,
  freshnessOf,
  freshnessPolicy,
  stalenessOf,
  type Freshness,
  type FreshnessPolicy,
  type FreshnessStatus,
  type InputVersions,
  type Staleness,
} from './freshness.ts';
