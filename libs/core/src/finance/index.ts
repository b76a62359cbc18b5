export { AdjustmentChain } from './adjustment-chain.ts';
export {
  adjustmentFactor,
  AdjustmentMethod,
  distributionFactor,
  rightsFactor,
  splitFactor,
  type AdjustmentFactor,
  type NewAdjustmentFactor,
} from './adjustment-factor.ts';
export { Concentration, concentrationOf, hhi, type Hhi } from './concentration.ts';
export { correctionHistory, CorrectionReason, CorrectionRecord, type NewCorrection } from './correction.ts';
export {
  Decimal,
  isDecimalText,
  MAX_DECIMAL_DIGITS,
  parseDecimal,
  roundDecimal,
  sumDecimals,
} from './decimal.ts';
export { consecutiveRanks, denseRanks } from './rank.ts';
export { ratio, Rational } from './rational.ts';
export { shares } from './shares.ts';
