import type { PipeTransform } from '@nestjs/common';
import { isAssetKey } from '@spine/core';
import type { AssetKey } from '@spine/core';
import { notFound } from '../http/problem.ts';

/** The key of an asset in a path, its slashes sent as `%2F`. What is no key names nothing. */
export class AssetKeyPipe implements PipeTransform<string, AssetKey> {
  transform(text: string): AssetKey {
    if (!isAssetKey(text)) throw notFound('asset', text);
    return text;
  }
}
