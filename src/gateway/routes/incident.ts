/**
 * `POST /report_incident?details=`: what somebody noticed, into the log.
 * @see Tahoe-LAFS docs/logging.rst
 */
import type { FastifyInstance } from 'fastify';
import { TahoeError } from '#core/errors.js';
import { readForm } from '../form.js';
import type { Gateway } from '../services.js';

/** The longest text that is kept, in characters. */
const DETAILS_LENGTH_MAX = 4000;

/** Registers the routes of this resource. */
export function incidentRoutes(app: FastifyInstance, services: Gateway): void {
  app.post('/report_incident', async (request, reply) => {
    const form = await readForm(services, request);
    await form.close();
    const details = (form.args.get('details') ?? '').slice(0, DETAILS_LENGTH_MAX);
    services.log.warn('incident reported', { details });
    const text = 'An incident report has been saved to logs/incidents/ in the node directory.';
    return reply.header('content-type', 'text/plain; charset=UTF-8').send(text);
  });
  app.route({
    method: ['GET', 'HEAD', 'PUT', 'DELETE'],
    url: '/report_incident',
    handler: () => {
      throw new TahoeError('ERR_USAGE', { reason: '/report_incident can only be used with POST' });
    },
  });
}
