/**
 * Every refusal that the service is known to give, with its status and body.
 *
 * The rows and the certainty of each are in docs/sanity-emulator.md.
 */

export interface ItemError {
  type: string;
  description: string;
  [detail: string]: unknown;
}

/** One mutation (or action) that was refused, by its place in the request. */
export interface FailedItem {
  error: ItemError;
  index: number;
}

/** An answer other than 200; the server sends `body` as JSON. */
export class ApiError extends Error {
  status: number;
  body: unknown;
  headers: Record<string, string>;

  constructor(status: number, body: unknown, headers: Record<string, string> = {}) {
    super(typeof body === 'string' ? body : JSON.stringify(body));
    this.status = status;
    this.body = body;
    this.headers = headers;
  }
}

/** Raised while a transaction is applied; wrapped as `mutationError` or `actionError`. */
export class ItemRefused extends Error {
  items: FailedItem[];

  constructor(items: FailedItem[]) {
    super(items[0]?.error.description ?? 'refused');
    this.items = items;
  }
}

const STATUS_BY_TYPE: Record<string, number> = {
  cannotModifyImmutableAttributeError: 409,
  documentAlreadyExistsError: 409,
  documentHasExistingReferencesError: 409,
  documentNotFoundError: 409,
  documentReferenceDoesNotExistError: 409,
  documentRevisionIDDoesNotMatchError: 409,
  insufficientPermissionsError: 403,
  validationError: 400,
};

const STATUS_TEXT: Record<number, string> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  402: 'Payment Required',
  403: 'Forbidden',
  404: 'Not Found',
  409: 'Conflict',
  413: 'Payload Too Large',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
};

/** `{statusCode, error, message}`, the form of everything that is not a mutation's or a query's. */
export function boom(status: number, message: string, extra: object = {}): ApiError {
  const error = STATUS_TEXT[status] ?? 'Error';
  return new ApiError(status, { statusCode: status, error, message, ...extra });
}

function refusal(index: number, error: ItemError): ItemRefused {
  return new ItemRefused([{ error, index }]);
}

/** T1: a full recording of the real answer. */
export function revisionMismatch(
  index: number,
  id: string,
  current: string,
  expected: string,
): ItemRefused {
  const subject = `Document "${id}"`;
  return refusal(index, {
    currentRevisionID: current,
    description: `${subject} has unexpected revision ID ("${current}"), expected "${expected}"`,
    expectedRevisionID: expected,
    type: 'documentRevisionIDDoesNotMatchError',
  });
}

export function alreadyExists(index: number, id: string): ItemRefused {
  const description = `Document by ID "${id}" already exists`;
  return refusal(index, { description, id, type: 'documentAlreadyExistsError' });
}

export function notFound(index: number, id: string): ItemRefused {
  const description = `The document with the ID "${id}" was not found`;
  return refusal(index, { description, id, type: 'documentNotFoundError' });
}

export function malformedId(index: number, id: unknown): ItemRefused {
  const description = `Malformed document ID: "${String(id)}"`;
  return refusal(index, { description, type: 'validationError', value: id });
}

export function invalid(index: number, description: string): ItemRefused {
  return refusal(index, { description, type: 'validationError' });
}

export function immutableAttribute(index: number, attribute: string): ItemRefused {
  const description = `Cannot modify immutable attribute "${attribute}"`;
  return refusal(index, { attribute, description, type: 'cannotModifyImmutableAttributeError' });
}

export function permissionMissing(index: number, permission: string): ItemRefused {
  const description = `Insufficient permissions; permission "${permission}" required`;
  return refusal(index, { description, permission, type: 'insufficientPermissionsError' });
}

export function stillReferenced(index: number, id: string, referencingIDs: string[]): FailedItem {
  const holders = referencingIDs.map((holder) => `"${holder}"`).join(', ');
  const reason = `cannot be deleted as there are references to it from ${holders}`;
  const description = `Document "${id}" ${reason}`;
  return {
    error: { description, id, referencingIDs, type: 'documentHasExistingReferencesError' },
    index,
  };
}

export function referenceMissing(index: number, id: string, referenceID: string): FailedItem {
  const description = `Document "${id}" references non-existent document "${referenceID}"`;
  return {
    error: { description, id, referenceID, type: 'documentReferenceDoesNotExistError' },
    index,
  };
}

/** Wrap refused items as the service does; `type` is `mutationError` or `actionError`. */
export function transactionRefused(type: string, refused: ItemRefused): ApiError {
  const { items } = refused;
  const first = items[0]?.error ?? { type: 'validationError', description: 'refused' };
  const status = STATUS_BY_TYPE[first.type] ?? 400;
  const denied = first.type === 'insufficientPermissionsError';
  const subject = type === 'actionError' ? 'Action failed' : 'Mutation failed';
  const prefix = denied ? 'transaction failed' : subject;
  const description = `${prefix}: ${first.description}`;
  return new ApiError(status, { error: { description, items, type } });
}

/** Not wrapped in `mutationError`; the SDK takes it for "already committed". */
export function transactionExists(transactionId: string): ApiError {
  const description = `Transaction with ID "${transactionId}" already exists`;
  return new ApiError(409, { error: { description, type: 'transactionAlreadyExistsError' } });
}

/** Rolled back by contention: the same body and id may be sent again. */
export function transactionConflict(): ApiError {
  const description = 'Transaction conflict: the transaction was rolled back, try again';
  return new ApiError(409, { error: { description, type: 'transactionConflictError' } });
}

export function queryParseError(
  query: string,
  description: string,
  start?: number,
): ApiError {
  const place = start === undefined ? {} : { start, end: start + 1 };
  const error = { description, query, type: 'queryParseError', ...place };
  return new ApiError(400, { error });
}

export function parameterMissing(query: string, name: string): ApiError {
  return queryParseError(query, `param $${name} referenced, but not provided`);
}

export function queryFailed(description: string): ApiError {
  return new ApiError(400, { error: { description, type: 'queryError' } });
}

export function bodyTooLarge(limit: number): ApiError {
  return boom(413, `Request body exceeds limit of ${limit} bytes`);
}

export function rateLimited(headers: Record<string, string>): ApiError {
  return new ApiError(429, { message: 'API rate limit exceeded' }, headers);
}

export function unknownToken(): ApiError {
  return boom(401, 'Session not found', { errorCode: 'SIO-401-ANF' });
}

export function expiredToken(): ApiError {
  const message = 'Session is expired, please re-authenticate';
  return boom(401, message, { errorCode: 'SIO-401-AEX' });
}

export function tokenOfAnotherProject(): ApiError {
  return boom(401, 'Session does not match project host', { errorCode: 'SIO-401-AWH' });
}

export function projectNotFound(project: string): ApiError {
  const extra = { errorCode: 'SIO-404-PNF', attributes: { type: 'project' } };
  return boom(404, `Project not found: ${project}`, extra);
}

export function datasetNotFound(project: string, dataset: string): ApiError {
  return new ApiError(404, {
    statusCode: 404,
    error: 'Dataset not found',
    message: `Dataset "${dataset}" not found for project ID "${project}"`,
  });
}
