import { z } from 'zod';
import { PROBLEMS } from '../http/problem.ts';
import type { ProblemCode } from '../http/problem.ts';

const CODES = Object.keys(PROBLEMS) as [ProblemCode, ...ProblemCode[]];

export const fieldErrorJson = z
  .object({
    code: z.string(),
    message: z.string(),
    field: z.string().describe('A path such as params.rows[0]; body for the whole body.'),
    line: z.int().optional().describe('From 1, where the field is in a text such as YAML.'),
    column: z.int().optional().describe('From 1.'),
  })
  .meta({ id: 'FieldError' });

export const problemJson = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    instance: z.string().describe('Path of the request.'),
    code: z.enum(CODES),
    errors: z.array(fieldErrorJson),
    request_id: z.string(),
  })
  .meta({ id: 'Problem', description: 'RFC 9457.' });
