import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { OpenAPIObject } from '@nestjs/swagger';
import { CONTROLLERS } from '../controllers.ts';
import * as tokens from '../tokens.ts';
import { createDocument } from './document.ts';

/** The document without a running API: nothing is instantiated, so no database is needed. */
export async function buildOpenApiDocument(): Promise<OpenAPIObject> {
  class DocumentedModule {}
  Module({
    controllers: CONTROLLERS,
    // Nest wants them named; a preview asks none of them.
    providers: Object.values(tokens).map((provide) => ({ provide, useValue: null })),
  })(DocumentedModule);
  const app = await NestFactory.create(DocumentedModule, new FastifyAdapter(), {
    preview: true,
    logger: false,
    abortOnError: false,
  });
  return createDocument(app);
}
