<?php
// Served by `php -S`. FOLDER is where it may write, DRIVER is Laravel's session driver: file, database or redis (on the port REDIS).
require_once '/usr/share/php/Illuminate/autoload.php';

use Illuminate\Contracts\Debug\ExceptionHandler;
use Illuminate\Contracts\Http\Kernel as HttpKernel;
use Illuminate\Cookie\Middleware\AddQueuedCookiesToResponse;
use Illuminate\Cookie\Middleware\EncryptCookies;
use Illuminate\Foundation\Application;
use Illuminate\Foundation\Exceptions\Handler;
use Illuminate\Foundation\Http\Kernel;
use Illuminate\Http\Request;
use Illuminate\Session\Middleware\StartSession;
use Illuminate\Support\Facades\Auth;
use Illuminate\Support\Facades\Route;

error_reporting(E_ALL & ~E_DEPRECATED);  // Laravel 8 on PHP 8.2

class WebKernel extends Kernel
{
    protected $middleware = [EncryptCookies::class, AddQueuedCookiesToResponse::class, StartSession::class];
}

$folder = getenv('FOLDER');
$database = "$folder/site.sqlite3";
if (!file_exists($database)) {
    $made = new PDO("sqlite:$database");
    $made->exec('create table users (id integer primary key, name text, password text, remember_token text)');
    $made->exec("insert into users (id, name) values (1, 'alice'), (2, 'bob')");
    // As `php artisan session:table` has it.
    $made->exec('create table sessions (id text primary key, user_id integer, ip_address text, user_agent text, payload text,
                 last_activity integer)');
    mkdir("$folder/storage/framework/sessions", 0700, true);
    mkdir("$folder/storage/logs");
}

$app = new Application(__DIR__);
$app->useStoragePath("$folder/storage");
$app->singleton(HttpKernel::class, WebKernel::class);
$app->singleton(ExceptionHandler::class, Handler::class);
$app->booted(function () {
    Route::get('/visit', function (Request $request) {
        $request->session()->increment('visits');
        return 'hello';
    });
    Route::post('/login', function (Request $request) {
        Auth::loginUsingId($request->query('user') === 'alice' ? 1 : 2);
        return 'welcome';
    });
    Route::get('/me', fn () => (string) Auth::id());
    Route::post('/logout', function (Request $request) {
        Auth::logout();
        $request->session()->invalidate();
        return 'bye';
    });
});
$kernel = $app->make(HttpKernel::class);
$request = Request::capture();
$response = $kernel->handle($request);
$response->send();
$kernel->terminate($request, $response);
