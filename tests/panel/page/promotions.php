<?php
// Batches and coupons in the documented shapes.
declare(strict_types=1);

const PROMOTION_CALLS = [
    'listPromoBatches' => 'list_batches', 'listPromoCodes' => 'list_codes',
    'getPromoDetailsByCode' => 'coupon_details', 'addPromoCode' => 'add_code',
    'updatePromoCode' => 'update_code', 'applyInvoiceCoupon' => 'apply_to_invoice',
];
const GROUPS = ['products', 'categories', 'addons', 'domains', 'forms'];
const COUPON_TYPES = ['cart', 'invoice', 'invoice_cart', 'flavor'];
const CYCLES = [
    'Daily', 'Weekly', 'Monthly', 'Quarterly', 'Semi-Annually', 'Annually', 'Biennially',
    'Triennially', 'Quadrennially', 'Quinquennially',
];

/** Return a list that is stored as JSON as an object keyed by itself, or what stands for none. */
function keyed(string $stored, mixed $none = []): mixed
{
    $list = json_decode($stored, true);
    return $list ? (object) array_combine($list, $list) : $none;
}

/** Return a coupon as it stands in its batch; in details groups that are not set are false. */
function coupon_fields(array $coupon, mixed $none = []): array
{
    return [
        'id' => (int) $coupon['id'], 'batch_id' => (string) $coupon['batch_id'],
        'active' => (string) $coupon['active'], 'code' => $coupon['code'],
        'status' => $coupon['status'], 'coupon_type' => $coupon['coupon_type'],
        'type' => $coupon['type'], 'applyto' => $coupon['applyto'], 'cycle' => $coupon['cycle'],
        'options' => $coupon['options'], 'value' => (float) $coupon['value'],
        'cycles' => keyed($coupon['cycles'], $none),
        'products' => keyed($coupon['products'], $none),
        'categories' => keyed($coupon['categories'], $none), 'upgrades' => $coupon['upgrades'],
        'addons' => keyed($coupon['addons'], $none), 'domains' => keyed($coupon['domains'], $none),
        'forms' => keyed($coupon['forms'], $none), 'expires' => $coupon['expires'],
        'max_usage' => (string) $coupon['max_usage'], 'num_usage' => (string) $coupon['num_usage'],
        'clients' => $coupon['clients'], 'client_id' => (string) $coupon['client_id'],
        'notes' => $coupon['notes'], 'max_client_usage' => (string) $coupon['max_client_usage'],
        'increase_in_days' => (string) $coupon['increase_in_days'],
        'min_cart_amount' => money((float) $coupon['min_cart_amount']),
        'prompt_cart_amount' => money((float) $coupon['prompt_cart_amount']),
    ];
}

/** Return what was configured when a batch was made: that of its first coupon. */
function batch_config(array $coupon, string $notes): array
{
    $config = [
        'cycle' => $coupon['cycle'], 'increase_in_days' => $coupon['increase_in_days'] ?: '',
        'applyto' => $coupon['applyto'], 'clients' => $coupon['clients'],
        'client_id' => $coupon['client_id'] ?: '', 'notes' => $notes,
    ];
    foreach (['products', 'categories', 'domains', 'addons', 'forms'] as $group) {
        $config["apply_$group"] = $coupon[$group] === '[]' ? '0' : '1';
    }
    foreach ([...GROUPS, 'cycles'] as $group) {
        if ($coupon[$group] !== '[]') {
            $config[$group] = json_decode($coupon[$group], true);
        }
    }
    return array_map(fn (mixed $each): mixed => is_int($each) ? (string) $each : $each, $config);
}

function list_batches(array $arguments): array
{
    store()->exec('BEGIN');
    $records = row('SELECT COUNT(*) AS n FROM batch')['n'];
    try {
        [$skipped, $sorter] = page_of(
            $arguments,
            $records,
            (int) setting('batches_per_page'),
            as_string: true
        );
        $found = rows(
            'SELECT * FROM batch ORDER BY id DESC LIMIT ? OFFSET ?',
            $sorter['perpage'],
            $skipped
        );
        $batches = array_map(whole_batch(...), $found);
    } finally {
        store()->exec('COMMIT');
    }
    return ['batches' => $batches, 'sorter' => $sorter];
}

function whole_batch(array $batch): array
{
    $coupons = rows('SELECT * FROM coupon WHERE batch_id = ? ORDER BY id', $batch['id']);
    return [
        'id' => (int) $batch['id'], 'name' => $batch['name'], 'status' => $batch['status'],
        'prefix' => $batch['prefix'], 'coupon_type' => $batch['coupon_type'],
        'type' => $batch['type'], 'value' => money((float) $batch['value']),
        'complexity' => $batch['complexity'], 'notes' => $batch['notes'],
        'coupon_config' => $coupons ? batch_config($coupons[0], $batch['notes']) : new stdClass(),
        'created_at' => $batch['created_at'], 'updated_at' => $batch['updated_at'],
        'coupons_count' => count($coupons),
        'coupons_used' => (string) array_sum(array_column($coupons, 'num_usage')),
        'coupons' => array_map(coupon_fields(...), $coupons),
    ];
}

/** Return the fields of a line in a list of codes. */
function code_line(array $coupon): array
{
    return [
        'id' => (string) $coupon['id'], 'code' => $coupon['code'], 'status' => $coupon['status'],
        'coupon_type' => $coupon['coupon_type'], 'type' => $coupon['type'],
        'value' => money((float) $coupon['value'], 3),
        'num_usage' => (string) $coupon['num_usage'], 'notes' => $coupon['notes'],
    ];
}

function list_codes(array $arguments): array
{
    $which = text($arguments, 'include_batch') === '1' ? '1' : 'batch_id = 0';
    store()->exec('BEGIN');
    $records = row("SELECT COUNT(*) AS n FROM coupon WHERE $which")['n'];
    try {
        $perpage = (int) setting('codes_per_page');
        [$skipped, $sorter] = page_of($arguments, $records, $perpage, as_string: true);
        $sql = "SELECT * FROM coupon WHERE $which ORDER BY id DESC LIMIT ? OFFSET ?";
        $found = rows($sql, $sorter['perpage'], $skipped);
    } finally {
        store()->exec('COMMIT');
    }
    return ['coupons' => array_map(code_line(...), $found), 'sorter' => $sorter];
}

/** Return the coupon of a code: of those alike, the one that can be used, else the newest. */
function coupon_of(string $code): ?array
{
    return row(
        "SELECT * FROM coupon WHERE code = ?
            ORDER BY status = 'Active' DESC, active DESC, id DESC LIMIT 1",
        $code
    );
}

function coupon_details(array $arguments): array
{
    $coupon = coupon_of(text($arguments, 'code')) ?? throw new Refused('Promotion code not found');
    $fields = coupon_fields($coupon, none: false);
    $fields['id'] = (string) $fields['id'];
    $fields['value'] = money($fields['value']);
    $client = row('SELECT lastname, firstname FROM client WHERE id = ?', $coupon['client_id']);
    return ['coupon' => $fields + ($client ?? ['lastname' => '', 'firstname' => ''])];
}

/** Return the columns that a form gives. Refuses what is missing or malformed. */
function form_fields(array $arguments): array
{
    $fields = [];
    foreach (['code', 'coupon_type', 'value', 'type'] as $name) {
        $fields[$name] = text($arguments, $name);
    }
    $clients = text($arguments, 'clients');
    if (
        $fields['code'] === '' || strlen($fields['code']) > 32
        || !in_array($fields['coupon_type'], COUPON_TYPES, true) || !is_numeric($fields['value'])
        || !in_array($fields['type'], ['fixed', 'percent'], true)
        || ($fields['coupon_type'] === 'invoice_cart' && $clients === '')
        || !in_array($clients, ['', 'all', 'new', 'existing'], true)
    ) {
        throw new Refused('Wrong parameter');
    }
    foreach (['clients', 'notes', 'expires', 'status', 'client_id'] as $name) {
        if (text($arguments, $name) !== '') {
            $fields[$name] = text($arguments, $name);
        }
    }
    foreach (['products', 'categories', 'addons', 'domains'] as $group) {
        if (in_array(text($arguments, "apply_$group"), ['on', '1'], true)) {
            $chosen = array_map(strval(...), array_values((array) ($arguments[$group] ?? [])));
            $fields[$group] = json_encode($chosen);
        }
    }
    if (is_array($arguments['cycles'] ?? null)) {
        $cycles = array_intersect($arguments['cycles'], CYCLES);
        $fields['cycles'] = json_encode(array_values($cycles));
    }
    if (text($arguments, 'max_usage_limit') === '1') {
        $limit = text($arguments, 'usage_limit') === '' ? 'max_usage' : 'usage_limit';
        $fields['max_usage'] = number($arguments, $limit);
    }
    if (text($arguments, 'max_client_usage_limit') === '1') {
        $fields['max_client_usage'] = number($arguments, 'max_client_usage');
    }
    return $fields;
}

function refuse_code_of_another(string $code, int $but = 0): void
{
    if (row("SELECT 1 FROM coupon WHERE code = ? AND id <> ? AND status = 'Active'", $code, $but)) {
        throw new Refused('Promotion code is taken');
    }
}

function add_code(array $arguments): array
{
    $fields = form_fields($arguments);
    alone(function () use ($fields): void {
        refuse_code_of_another($fields['code']);
        insert('coupon', $fields);
    });
    return ['code' => $fields['code'], 'info' => ['New coupon created']];
}

function update_code(array $arguments): array
{
    $id = number($arguments, 'id');
    $fields = form_fields($arguments);
    alone(function () use ($id, $fields): void {
        if (($fields['status'] ?? 'Active') === 'Active') {
            refuse_code_of_another($fields['code'], but: $id);
        }
        $set = implode(' = ?, ', array_keys($fields)) . ' = ?';
        if (!run("UPDATE coupon SET $set WHERE id = ?", ...[...array_values($fields), $id])) {
            throw new Refused('Promotion code not found');
        }
    });
    return ['info' => ['Coupon details changed']];
}

/** Add and remove the newest rows of a listing of promotions. */
function move_promotions(string $call, int $add, int $remove): void
{
    $batches = $call === 'listPromoBatches';
    $from = $batches ? 'batch' : 'coupon WHERE batch_id = 0';
    foreach (rows("SELECT id FROM $from ORDER BY id DESC LIMIT ?", $remove) as $gone) {
        if ($batches) {
            run('DELETE FROM batch WHERE id = ?', $gone['id']);
        }
        run('DELETE FROM coupon WHERE ' . ($batches ? 'batch_id' : 'id') . ' = ?', $gone['id']);
    }
    $terms = ['coupon_type' => 'cart', 'type' => 'percent', 'value' => 5];
    for (; $add > 0; $add--) {
        $name = 'MOVED' . strtoupper(bin2hex(random_bytes(5)));
        $now = date('Y-m-d H:i:s');
        $batch = $batches ? insert('batch', $terms + [
            'name' => $name, 'status' => 'Active', 'prefix' => '', 'complexity' => '2',
            'notes' => '', 'created_at' => $now, 'updated_at' => $now,
        ]) : 0;
        insert('coupon', $terms + ['batch_id' => $batch, 'code' => $name]);
    }
}
