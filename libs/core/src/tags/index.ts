export {
  facetCounts,
  mostSimilar,
  similarity,
  type FacetCounts,
  type SimilarityOptions,
  type Taggable,
} from './similarity.ts';
export { TagGroupSet, type TagGroups } from './tag-group-set.ts';
export { isWithin, MAX_TAG_LENGTH, parseTag, withAncestors } from './tag-path.ts';
