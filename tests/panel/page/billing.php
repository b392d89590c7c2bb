<?php
// Clients, invoices, accounts, order drafts.
declare(strict_types=1);

const BILLING_CALLS = [
    'getClients' => 'list_clients', 'getClientDetails' => 'client_details',
    'addClient' => 'add_client', 'deleteClient' => 'delete_client',
    'verifyClientLogin' => 'verify_login', 'getInvoices' => 'list_invoices',
    'getInvoiceDetails' => 'invoice_details', 'addInvoice' => 'add_invoice',
    'addInvoicePayment' => 'add_payment', 'getAccountDetails' => 'account_details',
    'accountSetDiscount' => 'set_account_discount', 'getProductDetails' => 'product_details',
    'getOrderDraft' => 'order_draft', 'addOrderDraftDiscount' => 'add_draft_discount',
    'getAffiliateVouchers' => 'list_vouchers',
];
const PER_PAGE = 25;

/** Return a row whose numbers are texts, as panels answer what a database gave them. */
function texts(array $row): array
{
    return array_map(strval(...), $row);
}

function found(string $table, array $arguments): array
{
    return row("SELECT * FROM $table WHERE id = ?", number($arguments, 'id'))
        ?? throw new Refused(ucfirst($table) . ' not found');
}

/** Return a page of a query, newest first. */
function listing(string $name, string $sql, array $arguments): array
{
    $records = row("SELECT COUNT(*) AS n FROM ($sql)")['n'];
    [$skipped, $sorter] = page_of($arguments, $records, PER_PAGE);
    $found = rows("$sql ORDER BY 1 DESC LIMIT ? OFFSET ?", $sorter['perpage'], $skipped);
    return [$name => array_map(texts(...), $found), 'sorter' => $sorter];
}

function list_clients(array $arguments): array
{
    return listing(
        'clients',
        'SELECT id, firstname, lastname, datecreated, email, companyname FROM client',
        $arguments
    );
}

function client_details(array $arguments): array
{
    $client = texts(found('client', $arguments));
    return ['client' => $client + ['status' => 'Active', 'credit' => '0.00']];
}

function add_client(array $arguments): array
{
    $fields = [];
    foreach (['firstname', 'lastname', 'email', 'password'] as $name) {
        $fields[$name] = text($arguments, $name);
    }
    if (in_array('', $fields, true)) {
        throw new Refused('Wrong parameter');
    }
    $fields['password'] = md5($fields['password']);
    $fields['companyname'] = text($arguments, 'companyname');
    return ['client_id' => insert('client', $fields), 'info' => ['client_registered']];
}

function delete_client(array $arguments): array
{
    if (!run('DELETE FROM client WHERE id = ?', number($arguments, 'id'))) {
        throw new Refused('Client not found');
    }
    return ['info' => ['Client has been deleted']];
}

function verify_login(array $arguments): array
{
    $sql = 'SELECT id FROM client WHERE email = ? AND password = ?';
    $client = row($sql, text($arguments, 'email'), md5(text($arguments, 'password')));
    if ($client === null) {
        throw new Refused('Wrong email or password');
    }
    setcookie('panel_session', bin2hex(random_bytes(16)), ['httponly' => true, 'secure' => true]);
    setcookie('panel_language', 'english');
    return ['client_id' => (string) $client['id']];
}

function invoice_total(int $id): float
{
    $sql = 'SELECT COALESCE(SUM(amount * qty), 0) AS total FROM invoice_line WHERE invoice_id = ?';
    return (float) row($sql, $id)['total'];
}

function list_invoices(array $arguments): array
{
    $sql = 'SELECT id, client_id, status, date, duedate FROM invoice';
    $page = listing('invoices', $sql, $arguments);
    foreach ($page['invoices'] as &$invoice) {
        $invoice['total'] = money(invoice_total((int) $invoice['id']));
    }
    return $page;
}

function invoice_details(array $arguments): array
{
    $invoice = found('invoice', $arguments);
    $total = invoice_total($invoice['id']);
    $lines = rows('SELECT * FROM invoice_line WHERE invoice_id = ? ORDER BY id', $invoice['id']);
    foreach ($lines as &$line) {
        $each = (float) $line['amount'];
        $line = ['amount' => money($each)] + $line;
        $line = texts(array_replace(array_flip([
            'id', 'invoice_id', 'type', 'item_id', 'description', 'amount', 'taxed', 'qty',
        ]), $line)) + ['linetotal' => $each * $line['qty']];
    }
    $client = row('SELECT * FROM client WHERE id = ?', $invoice['client_id']);
    return ['invoice' => [
        'id' => (string) $invoice['id'], 'paid_id' => '', 'recurring_id' => '0',
        'status' => $invoice['status'], 'client_id' => (string) $invoice['client_id'],
        'date' => $invoice['date'], 'duedate' => $invoice['duedate'],
        'datepaid' => $invoice['status'] === 'Paid' ? $invoice['date'] . ' 12:00:00'
            : '0000-00-00 00:00:00',
        'subtotal' => money($total), 'credit' => money((float) $invoice['credit']),
        'tax' => '0.00', 'taxrate' => '0.00', 'tax2' => '0.00', 'taxrate2' => '0.00',
        'total' => money($total - $invoice['credit']), 'payment_module' => '22',
        'currency_id' => '0', 'rate' => '1.0000', 'notes' => '', 'items' => $lines,
        'client' => $client === null ? [] : texts($client),
    ]];
}

function add_invoice(array $arguments): array
{
    $client = number($arguments, 'client_id');
    $id = alone(function () use ($client, $arguments): int {
        row('SELECT 1 FROM client WHERE id = ?', $client) ?? throw new Refused('Client not found');
        $today = date('Y-m-d');
        $id = insert('invoice', [
            'client_id' => $client, 'status' => 'Unpaid', 'date' => $today, 'duedate' => $today,
        ]);
        foreach ((array) ($arguments['items'] ?? []) as $item) {
            insert('invoice_line', [
                'invoice_id' => $id, 'type' => text($item, 'type') ?: 'Other',
                'item_id' => (int) text($item, 'item_id'),
                'description' => text($item, 'description'),
                'amount' => (float) text($item, 'amount'), 'qty' => (int) (text($item, 'qty') ?: 1),
            ]);
        }
        return $id;
    });
    return ['invoice_id' => (string) $id, 'info' => ['New invoice has been created']];
}

function add_payment(array $arguments): array
{
    $invoice = found('invoice', $arguments);
    alone(function () use ($invoice, $arguments): void {
        insert('payment', [
            'invoice_id' => $invoice['id'], 'amount' => (float) text($arguments, 'amount'),
            'transnumber' => text($arguments, 'transnumber'),
        ]);
        $sql = 'SELECT SUM(amount) AS paid FROM payment WHERE invoice_id = ?';
        if (row($sql, $invoice['id'])['paid'] >= invoice_total($invoice['id'])) {
            run("UPDATE invoice SET status = 'Paid' WHERE id = ?", $invoice['id']);
        }
    });
    return ['info' => ['Payment has been added']];
}

function account_details(array $arguments): array
{
    $account = found('account', $arguments);
    $product = row('SELECT * FROM product WHERE id = ?', $account['product_id']);
    $total = money((float) $account['total']);
    return ['details' => [
        'id' => (string) $account['id'], 'client_id' => (string) $account['client_id'],
        'order_id' => '9906', 'product_id' => (string) $account['product_id'], 'parent_id' => '0',
        'date_created' => '2024-02-16', 'domain' => $account['domain'], 'server_id' => '224',
        'payment_module' => '22', 'firstpayment' => $total, 'total' => $total,
        'billingcycle' => $account['billingcycle'], 'billingtype' => 'PrePay',
        'next_due' => '2027-05-16', 'status' => 'Active', 'label' => '', 'username' => 'web1',
        'password' => 'hunter2-of-the-account', 'rootpassword' => 'hunter2-of-root',
        'notes' => '', 'product_name' => $product['name'], 'extra_details' => [],
    ]];
}

function set_account_discount(array $arguments): array
{
    $id = found('account', $arguments)['id'];
    run('UPDATE account SET discount = ? WHERE id = ?', text($arguments, 'coupon_id'), $id);
    return ['info' => ['Discount has been set']];
}

function product_details(array $arguments): array
{
    return ['product' => texts(found('product', $arguments))];
}

function order_draft(array $arguments): array
{
    $draft = found('draft', $arguments);
    return ['draft' => [
        'id' => (string) $draft['id'], 'client_id' => (string) $draft['client_id'],
        'items' => [[
            'product_id' => (string) $draft['product_id'], 'cycle' => $draft['cycle'],
            'price' => money((float) $draft['price']),
        ]],
        'discounts' => json_decode($draft['discounts'], true),
    ]];
}

function add_draft_discount(array $arguments): array
{
    $coupon = text($arguments, 'coupon') ?: throw new Refused('Wrong parameter');
    alone(function () use ($arguments, $coupon): void {
        $draft = found('draft', $arguments);
        $discounts = [...json_decode($draft['discounts'], true), $coupon];
        run('UPDATE draft SET discounts = ? WHERE id = ?', json_encode($discounts), $draft['id']);
    });
    return ['draft' => []];
}

function list_vouchers(array $arguments): array
{
    return listing(
        'vouchers',
        "SELECT c.id, c.code, c.status, c.coupon_type, c.type, printf('%.2f', c.value) AS value,
            c.num_usage, c.notes, v.aff_id, k.firstname, k.lastname, k.companyname, v.client_id,
            '1' AS commision_plan, '10% Commission' AS plan_name
            FROM voucher v JOIN coupon c ON c.id = v.coupon_id JOIN client k ON k.id = v.client_id",
        $arguments
    );
}
