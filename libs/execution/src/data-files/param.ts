import { z } from 'zod';
import { pathProblem } from './data-file.ts';

/** Longest path a param may hold, in UTF-16 code units. */
const MAX_PATH_LENGTH = 4_096;

/** The param that names a file of the data roots; what is wrong with its text is said at submit. */
export const dataFilePath = z
  .string()
  .max(MAX_PATH_LENGTH)
  .superRefine((text, ctx) => {
    const problem = pathProblem(text);
    if (problem !== null) ctx.addIssue({ code: 'custom', message: problem });
  });
