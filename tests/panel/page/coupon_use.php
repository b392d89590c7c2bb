<?php
// A coupon on an invoice: what the panel's word is.
declare(strict_types=1);

function apply_to_invoice(array $arguments, array $access): array
{
    $id = number($arguments, 'id');
    $given = text($arguments, 'applycoupon');
    alone(function () use ($id, $given, $access): void {
        $invoice = row('SELECT * FROM invoice WHERE id = ?', $id)
            ?? throw new Refused('Invoice not found');
        $coupon = coupon_of($given) ?? row('SELECT * FROM coupon WHERE id = ?', $given)
            ?? throw new Refused('Promotion code not found');
        if (row(
            'SELECT 1 FROM coupon_use WHERE coupon_id = ? AND invoice_id = ?',
            $coupon['id'],
            $id
        )) {
            if (setting('repeated_coupon') === 'accept') {
                return;
            }
            throw new Refused('This coupon is on the invoice already');
        }
        $problem = why_not($coupon, $invoice);
        if ($problem !== null) {
            throw new Refused($problem);
        }
        run(
            'UPDATE coupon SET num_usage = num_usage + 1,
                active = (max_usage = 0 OR num_usage + 1 < max_usage) WHERE id = ?',
            $coupon['id']
        );
        insert('coupon_use', [
            'coupon_id' => $coupon['id'], 'client_id' => $invoice['client_id'],
            'invoice_id' => $id, 'api_id' => $access['api_id'],
        ]);
        insert('invoice_line', [
            'invoice_id' => $id, 'type' => 'Discount', 'item_id' => $coupon['id'],
            'description' => "Promotion code: {$coupon['code']}",
            'amount' => -discount($coupon, invoice_total($id)),
        ]);
    });
    return ['info' => ['The coupon has been added to the invoice']];
}

function discount(array $coupon, float $total): float
{
    $value = (float) $coupon['value'];
    return min($total, $coupon['type'] === 'fixed' ? $value : round($total * $value / 100, 2));
}

/** Return why a coupon cannot be put on an invoice, or null. */
function why_not(array $coupon, array $invoice): ?string
{
    $client = $invoice['client_id'];
    $paid = row("SELECT 1 FROM invoice WHERE client_id = ? AND status = 'Paid'", $client) !== null;
    $by_client = 'SELECT COUNT(*) AS n FROM coupon_use WHERE coupon_id = ? AND client_id = ?';
    return match (true) {
        $invoice['status'] !== 'Unpaid' => 'Invoice is not unpaid',
        $coupon['status'] !== 'Active' || !$coupon['active'] => 'Promotion code is not active',
        !in_array($coupon['coupon_type'], ['invoice', 'invoice_cart'], true)
            => 'Promotion code is not for invoices',
        $coupon['expires'] !== '0000-00-00' && $coupon['expires'] < date('Y-m-d')
            => 'Promotion code has expired',
        $coupon['client_id'] && $coupon['client_id'] !== $client
            => 'Promotion code is for another client',
        $coupon['clients'] === 'new' && $paid, $coupon['clients'] === 'existing' && !$paid
            => 'Promotion code is not for this client',
        $coupon['max_usage'] && $coupon['num_usage'] >= $coupon['max_usage']
            => 'Promotion code is used up',
        $coupon['max_client_usage']
            && row($by_client, $coupon['id'], $client)['n'] >= $coupon['max_client_usage']
            => 'Promotion code is used up by this client',
        $coupon['min_cart_amount'] > invoice_total($invoice['id'])
            => 'Invoice total is too low',
        !fits_lines($coupon, $invoice['id']) => 'Promotion code is not for these items',
        default => null,
    };
}

/** Tell whether a line of an invoice is for a service that the coupon is for. */
function fits_lines(array $coupon, int $invoice): bool
{
    $services = rows(
        "SELECT a.product_id, p.category_id, a.billingcycle FROM invoice_line l
            JOIN account a ON a.id = l.item_id JOIN product p ON p.id = a.product_id
            WHERE l.invoice_id = ? AND l.type = 'Hosting'",
        $invoice
    );
    $products = json_decode($coupon['products'], true);
    $categories = json_decode($coupon['categories'], true);
    $cycles = json_decode($coupon['cycles'], true);
    if (!$products && !$categories && !$cycles) {
        return true;
    }
    foreach ($services as $service) {
        $chosen = (!$products && !$categories)
            || in_array((string) $service['product_id'], $products, true)
            || in_array((string) $service['category_id'], $categories, true);
        if ($chosen && (!$cycles || in_array($service['billingcycle'], $cycles, true))) {
            return true;
        }
    }
    return false;
}
