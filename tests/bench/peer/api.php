<?php
// The page that a user would write instead, over a copy of the same rows: no cache, no usage log.
// What is slow in PHP is avoided: rows come as lists, a coupon starts as a copy of its terms.
declare(strict_types=1);

const COUPON_TERMS = 'coupon_type, type, applyto, cycle, options, value, cycles, products,
    categories, upgrades, addons, domains, forms, expires, max_usage, clients, client_id, notes,
    max_client_usage, increase_in_days, min_cart_amount, prompt_cart_amount, lastname, firstname';
const GROUPS = ['products', 'categories', 'domains', 'addons', 'forms'];
const PAGE = 100;

final class Refused extends Exception
{
}

function rows(PDO $store, string $sql, array $values = []): array
{
    $statement = $store->prepare($sql);
    $statement->execute($values);
    return $statement->fetchAll(PDO::FETCH_NUM);
}

function admits(string $rule, string $address): bool
{
    if ($rule === '' || $rule === 'all' || $rule === $address) {
        return true;
    }
    [$network, $bits] = explode('/', $rule . '/');
    $network = inet_pton($network);
    $client = inet_pton($address);
    if ($bits === '' || strlen($network) !== strlen($client)) {
        return false;
    }
    $whole = intdiv((int) $bits, 8);
    $mask = chr(0xff00 >> ((int) $bits % 8) & 0xff);
    return strncmp($network, $client, $whole) === 0
        && ($whole === strlen($client) || ($network[$whole] & $mask) === ($client[$whole] & $mask));
}

function check_access(PDO $store, string $call): string
{
    $id = (string) ($_REQUEST['api_id'] ?? '');
    $key = (string) ($_REQUEST['api_key'] ?? '');
    $found = rows(
        $store,
        'SELECT key_salt, key_digest, ip_rule, calls, enabled FROM access WHERE api_id = ?',
        [$id]
    );
    [$salt, $digest, $rule, $calls, $enabled] = $found[0] ?? [str_repeat('0', 32), '', '', null, 0];
    $given = hash_hmac('sha256', $key, hex2bin($salt));
    if (!hash_equals($digest, $given) || !$enabled) {
        throw new Refused('Wrong API ID or API Key');
    }
    if (!admits($rule, $_SERVER['REMOTE_ADDR'])) {
        throw new Refused('This IP address is not allowed to use this API ID');
    }
    if ($calls !== null && !in_array($call, json_decode($calls, true), true)) {
        throw new Refused('Called method is not allowed for this API ID');
    }
    return $id;
}

/** The terms part of a coupon with its own columns still blank; $t is a row of COUPON_TERMS. */
function coupon_of_terms(array $t): array
{
    return [
        'id' => 0, 'batch_id' => '0', 'active' => '1', 'code' => '', 'status' => 'Active',
        'coupon_type' => $t[0], 'type' => $t[1], 'applyto' => $t[2], 'cycle' => $t[3],
        'options' => $t[4], 'value' => $t[5] + 0, 'cycles' => json_decode($t[6], true),
        'products' => json_decode($t[7], true), 'categories' => json_decode($t[8], true),
        'upgrades' => json_decode($t[9], true), 'addons' => json_decode($t[10], true),
        'domains' => json_decode($t[11], true), 'forms' => json_decode($t[12], true),
        'expires' => $t[13] ?? '0000-00-00', 'max_usage' => (string) $t[14], 'num_usage' => '0',
        'clients' => $t[15], 'client_id' => (string) $t[16], 'notes' => $t[17],
        'max_client_usage' => (string) $t[18], 'increase_in_days' => (string) $t[19],
        'min_cart_amount' => number_format((float) $t[20], 2, '.', ''),
        'prompt_cart_amount' => number_format((float) $t[21], 2, '.', ''),
    ];
}

function config_of(array $coupon): array
{
    $config = [
        'cycle' => $coupon['cycle'],
        'increase_in_days' => $coupon['increase_in_days'] === '0' ? '' : $coupon['increase_in_days'],
        'applyto' => $coupon['applyto'],
        'clients' => $coupon['clients'],
        'client_id' => $coupon['client_id'] === '0' ? '' : $coupon['client_id'],
        'notes' => $coupon['notes'],
    ];
    foreach (GROUPS as $group) {
        $config["apply_$group"] = $coupon[$group] ? '1' : '0';
    }
    foreach ([...GROUPS, 'cycles'] as $group) {
        if ($coupon[$group]) {
            $config[$group] = array_map(strval(...), array_keys($coupon[$group]));
        }
    }
    return $config;
}

function moment(?int $at): string
{
    return $at === null ? '0000-00-00 00:00:00' : date('Y-m-d H:i:s', $at);
}

function list_batches(PDO $store): array
{
    $page = (int) ($_REQUEST['page'] ?? 0);
    $store->beginTransaction();
    $total = rows($store, "SELECT n FROM tally WHERE name = 'batches'")[0][0];
    $found = rows(
        $store,
        'SELECT b.id, b.name, b.live, b.prefix, b.complexity, b.notes AS batch_notes, b.config,
            b.created_at, b.updated_at, b.coupons_count, b.coupons_used, b.terms_id, '
            . preg_replace('/(\w+)/', 't.$1', COUPON_TERMS)
            . ' FROM batch b JOIN terms t ON t.id = b.terms_id
            ORDER BY b.id DESC LIMIT ' . PAGE . ' OFFSET ' . $page * PAGE
    );
    $batches = [];
    $of_terms = [];
    foreach ($found as $row) {
        $coupon = $of_terms[$row[11]] ??= coupon_of_terms(array_slice($row, 12));
        $batches[$row[0]] = [
            'id' => $row[0], 'name' => $row[1], 'status' => $row[2] ? 'Active' : 'Archived',
            'prefix' => $row[3], 'coupon_type' => $coupon['coupon_type'], 'type' => $coupon['type'],
            'value' => number_format((float) $coupon['value'], 2, '.', ''),
            'complexity' => (string) $row[4], 'notes' => $row[5],
            'coupon_config' => $row[6] === null ? config_of($coupon) : json_decode($row[6], true),
            'created_at' => moment($row[7]), 'updated_at' => moment($row[8]),
            'coupons_count' => $row[9], 'coupons_used' => (string) $row[10], 'coupons' => [],
        ];
    }
    $coupons = $store->query(
        'SELECT id, batch_id, active, code, live, num_usage, terms_id FROM coupon
            WHERE batch_id IN (' . (implode(',', array_keys($batches)) ?: '0') . ')
            ORDER BY batch_id, id'
    );
    while ($row = $coupons->fetch(PDO::FETCH_NUM)) {
        $coupon = $of_terms[$row[6]] ??= coupon_of_terms(
            rows($store, 'SELECT ' . COUPON_TERMS . ' FROM terms WHERE id = ?', [$row[6]])[0]
        );
        $coupon['id'] = $row[0];
        $coupon['batch_id'] = (string) $row[1];
        $coupon['code'] = $row[3];
        $coupon['num_usage'] = (string) $row[5];
        if (!$row[2]) {
            $coupon['active'] = '0';
        }
        if (!$row[4]) {
            $coupon['status'] = 'Archived';
        }
        $batches[$row[1]]['coupons'][] = $coupon;
    }
    $store->commit();
    return [
        ['batches' => array_values($batches)],
        [
            'sorter' => [
                'perpage' => PAGE, 'totalpages' => (int) ceil($total / PAGE),
                'sorterrecords' => (string) $total, 'sorterpage' => $page + 1,
            ],
        ],
    ];
}

function details(PDO $store): array
{
    $row = rows(
        $store,
        'SELECT c.id, c.batch_id, c.active, c.code, c.live, c.num_usage, '
            . preg_replace('/(\w+)/', 't.$1', COUPON_TERMS)
            . ' FROM coupon c JOIN terms t ON t.id = c.terms_id WHERE c.code = ?
            ORDER BY c.live IS NULL, c.id DESC LIMIT 1',
        [(string) ($_REQUEST['code'] ?? '')]
    )[0] ?? throw new Refused('The promotion code does not exist');
    $coupon = coupon_of_terms(array_slice($row, 6));
    $coupon['id'] = (string) $row[0];
    $coupon['batch_id'] = (string) $row[1];
    $coupon['active'] = (string) $row[2];
    $coupon['code'] = $row[3];
    $coupon['status'] = $row[4] ? 'Active' : 'Archived';
    $coupon['num_usage'] = (string) $row[5];
    $coupon['value'] = number_format((float) $coupon['value'], 2, '.', '');
    foreach ([...GROUPS, 'cycles'] as $group) {
        $coupon[$group] = $coupon[$group] ?: false;
    }
    $coupon['lastname'] = $row[28];
    $coupon['firstname'] = $row[29];
    return [['coupon' => $coupon], []];
}

/** Count one use: every limit is held by the database, the transaction is durable. */
function apply(PDO $store, string $api_id): array
{
    $client = (int) ($_REQUEST['client_id'] ?? 0);
    $invoice = (int) ($_REQUEST['id'] ?? 0);
    $code = (string) ($_REQUEST['applycoupon'] ?? '');
    [$id, $batch, $active, $live, $type, $terms_client, $expires, $limit, $client_limit] = rows(
        $store,
        'SELECT c.id, c.batch_id, c.active, c.live, t.coupon_type, t.client_id, t.expires,
            t.max_usage, t.max_client_usage
            FROM coupon c JOIN terms t ON t.id = c.terms_id WHERE c.code = ?
            ORDER BY c.live IS NULL, c.id DESC LIMIT 1',
        [$code]
    )[0] ?? throw new Refused('The promotion code does not exist');
    if (
        !$live || !$active || !in_array($type, ['invoice', 'invoice_cart'], true)
        || ($terms_client && $terms_client !== $client)
        || ($expires !== null && $expires < date('Y-m-d'))
    ) {
        throw new Refused('The promotion code cannot be used');
    }
    $store->exec('BEGIN IMMEDIATE');
    try {
        $standing = rows(
            $store,
            'SELECT 1 FROM redemption WHERE coupon_id = ? AND invoice_slot = ?',
            [$id, $invoice]
        );
        if (!$standing) {
            write_use($store, $id, $batch, $code, $client, $invoice, $limit, $client_limit, $api_id);
        }
        $store->exec('COMMIT');
    } catch (Refused $refused) {
        $store->exec('ROLLBACK');
        throw $refused;
    }
    return [[], ['info' => ['The coupon has been added to the invoice']]];
}

function write_use(
    PDO $store,
    int $id,
    int $batch,
    string $code,
    int $client,
    int $invoice,
    int $limit,
    int $client_limit,
    string $api_id
): void {
    $counted = $store->prepare(
        'UPDATE coupon SET num_usage = num_usage + 1,
            active = CASE WHEN ?1 > 0 AND num_usage + 1 >= ?1 THEN 0 ELSE active END
            WHERE id = ?2 AND live = 1 AND active = 1 AND (?1 = 0 OR num_usage < ?1)'
    );
    $counted->bindValue(1, $limit, PDO::PARAM_INT);
    $counted->bindValue(2, $id, PDO::PARAM_INT);
    $counted->execute();
    if (!$counted->rowCount()) {
        throw new Refused('The promotion code has been used as often as it may be');
    }
    if ($client_limit) {
        $used = rows(
            $store,
            "SELECT COUNT(*) FROM redemption
                WHERE coupon_id = ? AND client_id = ? AND state = 'used'",
            [$id, $client]
        )[0][0];
        if ($used >= $client_limit) {
            throw new Refused('The client has used the promotion code as often as it may be');
        }
    }
    $now = time();
    $store->prepare(
        "INSERT INTO redemption (coupon_id, batch_id, code, client_id, invoice_id, invoice_slot,
            order_id, state, api_id, realm, campaign_id, user_id, points, redeemed_at)
         VALUES (?, ?, ?, ?, ?, ?, 0, 'used', ?, 0, 0, '', 0, ?)"
    )->execute([$id, $batch, $code, $client, $invoice, $invoice, $api_id, $now]);
    if ($batch) {
        $store->prepare(
            'UPDATE batch SET coupons_used = coupons_used + 1, revision = revision + 1 WHERE id = ?'
        )->execute([$batch]);
    }
}

$call = (string) ($_REQUEST['call'] ?? '');
header('Content-Type: application/json; charset=UTF-8');
try {
    $store = new PDO('sqlite:' . $_SERVER['STORE'], null, null, [PDO::ATTR_PERSISTENT => true]);
    $store->exec('PRAGMA cache_size = -65536');
    $api_id = check_access($store, $call);
    [$payload, $after] = match ($call) {
        'listPromoBatches' => list_batches($store),
        'getPromoDetailsByCode' => details($store),
        'applyInvoiceCoupon' => apply($store, $api_id),
        default => throw new Refused('Called method is not supported'),
    };
    $info = $after['info'] ?? null;
    unset($after['info']);
    $answer = ['success' => true] + $payload + ['call' => $call] + $after
        + ['server_time' => time()] + ($info === null ? [] : ['info' => $info]);
} catch (Refused $refused) {
    $answer = [
        'success' => false, 'call' => $call, 'server_time' => time(),
        'error' => [$refused->getMessage()],
    ];
}
echo json_encode($answer);
