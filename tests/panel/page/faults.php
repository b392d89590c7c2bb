<?php
// What the panel does wrong when a test says so.
declare(strict_types=1);

const LOGIN_PAGE = '<!DOCTYPE html><html><head><title>Staff login</title></head><body>'
    . '<form method="post"><input name="username"><input name="password" type="password"></form>'
    . '</body></html>';
const LISTS = ['batches', 'coupons', 'clients', 'invoices', 'vouchers'];

final class Faults
{
    private array $faults = [];

    /** Take what holds for a call; what holds a number of times is used up by one. */
    public function __construct(string $call, array $arguments)
    {
        $sql = 'SELECT * FROM fault WHERE (call IS NULL OR call = ?)
            AND (times IS NULL OR times > 0) ORDER BY id';
        foreach (rows($sql, strtolower($call)) as $fault) {
            $asked = json_decode($fault['asked'], true);
            foreach ($asked as $name => $value) {
                $asked[$name] = text($arguments, $name) === $value;
            }
            if (in_array(false, $asked, true) || isset($this->faults[$fault['kind']])) {
                continue;
            }
            if ($fault['times'] === null || run(
                'UPDATE fault SET times = times - 1 WHERE id = ? AND times > 0',
                $fault['id']
            )) {
                $this->faults[$fault['kind']] = json_decode($fault['options'], true);
            }
        }
        Sending::$cut = $this->faults['cut']['bytes'] ?? null;
        Sending::$trickle = $this->faults['trickle'] ?? null;
    }

    /** Return what kinds of faults a call has. */
    public function kinds(): array
    {
        return array_keys($this->faults);
    }

    /** Do what comes before anything is carried out. */
    public function before(): void
    {
        pause($this->faults['delay']['seconds'] ?? 0);
        if (isset($this->faults['drop'])) {
            close_connection();
        }
    }

    /** Answer something else, with nothing carried out. */
    public function instead_of_answer(string $call): void
    {
        if ($fail = $this->faults['fail'] ?? null) {
            throw new Refused(...(array) $fail['error']);
        }
        foreach (['html', 'redirect', 'status'] as $kind) {
            $fault = $this->faults[$kind] ?? null;
            if ($fault === null) {
                continue;
            }
            http_response_code($kind === 'redirect' ? 302 : $fault['status']);
            if ($kind === 'redirect') {
                header('Location: ' . $fault['location']);
            }
            header('Content-Type: text/html; charset=UTF-8');
            send(LOGIN_PAGE);
            exit;
        }
    }

    /** Add and remove the newest rows of a listing, before it is read. */
    public function move_rows(string $call): void
    {
        if ($mutate = $this->faults['mutate'] ?? null) {
            alone(fn () => move_promotions($call, $mutate['add'], $mutate['remove']));
        }
    }

    /** Return an answer whose list lacks its last rows, though the sorter counts them. */
    public function shortened(array $payload): array
    {
        if ($short = $this->faults['short'] ?? null) {
            foreach (array_intersect(LISTS, array_keys($payload)) as $list) {
                $payload[$list] = array_slice($payload[$list], 0, -$short['rows']);
            }
        }
        return $payload;
    }

    /** Do what comes when all is carried out, and not yet answered. */
    public function after(): void
    {
        pause($this->faults['late']['seconds'] ?? 0);
        if (isset($this->faults['lose'])) {
            close_connection();
        }
    }
}

final class Sending
{
    public static ?int $cut = null;
    public static ?array $trickle = null;
}

function pause(float $seconds): void
{
    usleep((int) ($seconds * 1e6));
}

/** End without any answer: the web server closes the connection. */
function close_connection(): never
{
    header('X-Accel-Redirect: /closed');
    exit;
}

/** Send a part of the answer; die at the byte where it is to be cut. */
function send(string $bytes): void
{
    $cut = Sending::$cut;
    if ($cut !== null) {
        $bytes = substr($bytes, 0, $cut);
        Sending::$cut -= strlen($bytes);
    }
    $every = Sending::$trickle;
    foreach ($every ? str_split($bytes, $every['bytes']) : [$bytes] as $piece) {
        echo $piece;
        flush();
        pause($every['seconds'] ?? 0);
    }
    if (Sending::$cut === 0) {
        posix_kill(getmypid(), SIGKILL_NUMBER);
    }
}

const SIGKILL_NUMBER = 9;
