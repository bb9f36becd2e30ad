import { isDraftId, isVersionId } from './doc.ts';

export const ROLES = ['administrator', 'editor', 'developer', 'contributor', 'viewer'] as const;
export type Role = (typeof ROLES)[number];

/** Whoever sent a request. */
export interface Identity {
  /** What the service calls the user's or the robot's id. */
  id: string;
  name: string;
  role: Role | 'anonymous';
  project: string | null;
}

export const ANONYMOUS: Identity = {
  id: '<anonymous>',
  name: 'anonymous',
  role: 'anonymous',
  project: null,
};

const WRITERS: readonly Identity['role'][] = ['administrator', 'developer', 'editor'];

/** Contributors may write drafts and release versions, viewers nothing. */
export function mayWrite(identity: Identity, id: string): boolean {
  if (WRITERS.includes(identity.role)) return true;
  return identity.role === 'contributor' && (isDraftId(id) || isVersionId(id));
}

/** In the service, datasets are an administrator's; here editors make them too, for tests. */
export function mayManageDatasets(identity: Identity): boolean {
  return WRITERS.includes(identity.role);
}

/** The bearer token of an `Authorization` header, if there is one. */
export function bearerToken(header: string | undefined): string | undefined {
  return header?.match(/^Bearer\s+(\S+)\s*$/i)?.[1];
}
