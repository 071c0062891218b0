/** Errors as OpenAI's API sends them: `{ "error": { "message", "type", "param", "code" } }`. */
import { InputError, RuntimeEndedError, SeedlingError, SetupError, UsageError } from "../base/errors.ts";
import { reason } from "../base/one-line.ts";

export type ApiStatus = 400 | 401 | 403 | 404 | 405 | 408 | 413 | 415 | 429 | 499 | 500 | 503 | 504;

export class ApiError extends Error {
  readonly status: ApiStatus;
  readonly code: string;
  readonly param: string | null;
  /** Seconds after which a retry makes sense. */
  readonly retryAfter: number | undefined;

  constructor(
    status: ApiStatus,
    code: string,
    message: string,
    details: { readonly param?: string | null; readonly retryAfter?: number } = {},
  ) {
    super(message);
    this.status = status;
    this.code = code;
    this.param = details.param ?? null;
    this.retryAfter = details.retryAfter;
  }
}

/** Too many requests wait. */
export class BusyError extends ApiError {
  constructor(maxWaiting: number) {
    super(429, "queue_full", `${maxWaiting} requests wait already. Try again in a second.`, { retryAfter: 1 });
  }
}

export class DeadlineError extends ApiError {
  constructor(ms: number) {
    super(504, "deadline_exceeded", `the reply was not ready after ${ms / 1000} s, the server's time limit.`);
  }
}

export interface ErrorBody {
  readonly error: {
    readonly message: string;
    readonly type: string;
    readonly param: string | null;
    readonly code: string | null;
  };
}

/** Whatever was thrown, as an error of the API. Details of internal errors go to the log only. */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof InputError) return new ApiError(400, "invalid_input", error.message);
  if (error instanceof UsageError) return new ApiError(400, "invalid_request", error.message);
  if (error instanceof SetupError) return new ApiError(503, "model_unavailable", error.message);
  if (error instanceof RuntimeEndedError)
    return new ApiError(500, "worker_ended", "the model's worker has ended and is being restarted. Try again.");
  if (error instanceof SeedlingError) return new ApiError(500, "internal_error", error.message);
  if (error instanceof Error && error.name === "AbortError")
    return new ApiError(499, "cancelled", "the client disconnected.");
  return new ApiError(500, "internal_error", "the server failed to handle this request; see its log.");
}

export function errorBody({ status, code, message, param }: ApiError): ErrorBody {
  const types: Partial<Record<ApiStatus, string>> = {
    401: "authentication_error",
    403: "permission_error",
    429: "rate_limit_error",
    500: "server_error",
    503: "server_error",
    504: "server_error",
  };
  return { error: { message, type: types[status] ?? "invalid_request_error", param, code } };
}

/** One line for the log. */
export function logReason(error: unknown): string {
  return error instanceof Error && !(error instanceof SeedlingError) ? (error.stack ?? error.message) : reason(error);
}
