// Tests of src/health/service-health-response.ts.

import t from 'tap';
import { serviceHealthResponse } from '../../../src/health/service-health-response.ts';

const BODY = `{
	"service": {
		"namespace": "shop",
		"name": "web"
	},
	"localEndpoints": 2,
	"serviceProxyHealthy": true
}`;

t.test('serviceHealthResponse() responds as kube-proxy does', async (t) => {
  t.strictSame(serviceHealthResponse({ service: 'shop/web', localEndpoints: 2, serviceProxyHealthy: true }), {
    status: 200,
    headers: {
      'Content-Type': 'application/json',
      'X-Content-Type-Options': 'nosniff',
      'X-Load-Balancing-Endpoint-Weight': '2',
    },
    body: BODY,
  });
  t.match(serviceHealthResponse({ service: 'shop/web', localEndpoints: 0, serviceProxyHealthy: true }), {
    status: 503,
    headers: { 'X-Load-Balancing-Endpoint-Weight': '0' },
    body: BODY.replace('2', '0'),
  });
  t.match(serviceHealthResponse({ service: 'shop/web', localEndpoints: 2, serviceProxyHealthy: false }), {
    status: 503,
    body: BODY.replace('true', 'false'),
  });
});
