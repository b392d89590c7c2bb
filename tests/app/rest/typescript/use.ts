// A partner's script: what tsc says of it is what the document says of the API.
import createClient from "openapi-fetch";
import type { components, paths } from "./api";

declare const process: { argv: string[] };
const [baseUrl, secret] = process.argv.slice(2) as [string, string];
const api = createClient<paths>({ baseUrl, headers: { "X-API-Secret": secret } });
const slug = "summer-promo";
const path = { slug };

await api.POST("/campaigns", { body: { slug, name: "Summer Promo 2025" } });
await api.POST("/campaigns/codes/import", { body: { slug, pointsValue: 5, codes: ["OWN-1"] } });
const made = await api.POST("/campaigns/codes/generate", {
  body: { slug, batchSize: 2, pointsValue: 500 },
});
if (made.error) throw new Error(made.error.message);
if (typeof made.data === "string") throw new Error("CSV was not asked for");
const [code, other] = made.data.data.codes as [string, string];
const label: string | null = made.data.data.batch.label;

const verified = await api.POST("/campaigns/codes/verify", { body: { code } });
const worth: components["schemas"]["VerifyResponse"] | undefined = verified.data?.data;

const redeemed = await api.POST("/campaigns/{slug}/redeem", {
  params: { path, header: { "Idempotency-Key": "order-1" } },
  body: { userId: "user-1", code },
});
if (redeemed.error) throw new Error(redeemed.error.message);
const earned: number = redeemed.data.data.pointsEarned;

const { redemptionId } = redeemed.data.data;
const back = await api.POST("/campaigns/{slug}/redemptions/{redemptionId}/rollback", {
  params: { path: { slug, redemptionId } },
});
const status: "ACTIVE" | "REDEEMED" | "EXPIRED" | "REVOKED" | undefined = back.data?.data.status;

await api.POST("/campaigns/codes/revoke", { body: { code: other } });
const again = await api.POST("/campaigns/codes/revoke", { body: { code: other } });
const refusal: string | undefined = again.error?.error;

// @ts-expect-error: an empty body is refused
void (() => api.POST("/campaigns/codes/verify", {}));
// @ts-expect-error: neither is one without any field
void (() => api.POST("/campaigns/codes/generate", { body: {} }));
// @ts-expect-error: nor a revocation of nothing
void (() => api.POST("/campaigns/codes/revoke"));

console.log(JSON.stringify({ label, valid: worth?.valid, earned, status, refusal }));
