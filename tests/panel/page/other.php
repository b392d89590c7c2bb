<?php
// What is about the panel itself, and answers that are no JSON.
declare(strict_types=1);

const OTHER_CALLS = [
    'getAPIMethods' => 'list_methods', 'getHostBillversion' => 'tell_version',
    'uploadFile' => 'tell_uploads', 'getBackup' => 'stream_backup',
    'getInvoicePdf' => 'invoice_pdf', 'openInvoice' => 'redirect_to_invoice',
];
const BLOCK = 65536;

function list_methods(array $arguments, array $access): array
{
    return ['methods' => allowed_calls($access)];
}

function tell_version(): array
{
    return ['version' => setting('version')];
}

function tell_uploads(): array
{
    return ['files' => uploads()];
}

/** Stream so many MiB, in blocks that begin with their number. */
function stream_backup(array $arguments): ?array
{
    header('Content-Type: application/octet-stream');
    $blocks = number($arguments, 'megabytes') * 16;
    if (text($arguments, 'length') === '1') {
        header('Content-Length: ' . $blocks * BLOCK);
    }
    for ($block = 0; $block < $blocks; $block++) {
        send(str_pad((string) $block, BLOCK, '.'));
    }
    return null;
}

function invoice_pdf(array $arguments): ?array
{
    $invoice = found('invoice', $arguments);
    header('Content-Type: application/pdf');
    header("Content-Disposition: attachment; filename=\"invoice-{$invoice['id']}.pdf\"");
    send("%PDF-1.4\n" . implode(array_map(chr(...), range(0, 255))) . "\n%%EOF\n");
    return null;
}

function redirect_to_invoice(array $arguments): ?array
{
    http_response_code(302);
    header('Location: /admin/index.php?cmd=invoices&id=' . number($arguments, 'id'));
    send('');
    return null;
}
