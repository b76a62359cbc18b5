/**
 * What calculations are made from.
 *
 * There is no circle: whoever adds an edge holds the lock of the table while it looks, so that two edges added at once
 * cannot close one together. Reading waits for nobody.
 */
import type { Selectable } from 'kysely';
import { sql } from 'kysely';
import { ConflictError, findDependencyCycle } from '@spine/core';
import type { CalcDependency } from '@spine/core';
import { atomically } from '../sql/atomically.ts';
import type { Db, DbTransaction } from '../sql/kysely.ts';
import type { Database } from '../sql/schema.ts';

function toDependency(row: Selectable<Database['calc_dependencies']>): CalcDependency {
  return {
    calcDomain: row.calc_domain,
    calcOperation: row.calc_operation,
    calcStage: row.calc_stage,
    dependsOnDomain: row.depends_on_domain,
    dependsOnOperation: row.depends_on_operation,
    dependsOnStage: row.depends_on_stage,
    partitionFields: row.partition_fields,
    dependencyType: row.dependency_type,
    description: row.description,
  };
}

/**
 * Stores dependencies, each in the place of the one between the same two operations. All or none.
 * @throws ConflictError when they would close a circle; it names the chain.
 */
export async function putCalcDependencies(
  db: Db | DbTransaction,
  dependencies: readonly CalcDependency[],
): Promise<void> {
  await atomically(db, async (trx) => {
    await sql`LOCK TABLE calc_dependencies IN SHARE ROW EXCLUSIVE MODE`.execute(trx);
    for (const each of dependencies) {
      const values = {
        calc_stage: each.calcStage,
        depends_on_stage: each.dependsOnStage,
        partition_fields: each.partitionFields === null ? null : [...each.partitionFields],
        dependency_type: each.dependencyType,
        description: each.description,
      };
      await trx
        .insertInto('calc_dependencies')
        .values({
          calc_domain: each.calcDomain,
          calc_operation: each.calcOperation,
          depends_on_domain: each.dependsOnDomain,
          depends_on_operation: each.dependsOnOperation,
          ...values,
        })
        .onConflict((conflict) =>
          conflict
            .columns(['calc_domain', 'calc_operation', 'depends_on_domain', 'depends_on_operation'])
            .doUpdateSet(values),
        )
        .execute();
    }
    const cycle = findDependencyCycle(await listCalcDependencies(trx));
    if (cycle !== null)
      throw new ConflictError(`calculations would depend on themselves: ${cycle.join(' -> ')}`);
  });
}

/** Takes a dependency away. Whether there was one. */
export async function deleteCalcDependency(
  db: Db | DbTransaction,
  edge: Pick<CalcDependency, 'calcDomain' | 'calcOperation' | 'dependsOnDomain' | 'dependsOnOperation'>,
): Promise<boolean> {
  const rows = await db
    .deleteFrom('calc_dependencies')
    .where('calc_domain', '=', edge.calcDomain)
    .where('calc_operation', '=', edge.calcOperation)
    .where('depends_on_domain', '=', edge.dependsOnDomain)
    .where('depends_on_operation', '=', edge.dependsOnOperation)
    .returning('calc_domain')
    .execute();
  return rows.length > 0;
}

/** Dependencies of the calculations of a domain, or of all. Registered by code, so there are never many. */
export async function listCalcDependencies(
  db: Db | DbTransaction,
  calcDomain?: string,
): Promise<CalcDependency[]> {
  let query = db
    .selectFrom('calc_dependencies')
    .selectAll()
    .orderBy('calc_domain')
    .orderBy('calc_operation')
    .orderBy('depends_on_domain')
    .orderBy('depends_on_operation');
  if (calcDomain !== undefined) query = query.where('calc_domain', '=', calcDomain);
  return (await query.execute()).map(toDependency);
}
