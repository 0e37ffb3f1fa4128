<?php
// Served by `php -S`; where sessions lie and how they are serialized is on the command line (-d session.…).
class Basket { public $items = ['a cart that is an object, as carts are']; }

session_start();
$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
if ($path === '/visit') {
    $_SESSION['visits'] = ($_SESSION['visits'] ?? 0) + 1;
    $_SESSION['basket'] = new Basket();
    echo 'hello';
} elseif ($path === '/login') {
    session_regenerate_id(true);
    $_SESSION['user_id'] = $_GET['user'];
    $_SESSION['basket'] = new Basket();
    echo 'welcome';
} elseif ($path === '/me') {
    echo $_SESSION['user_id'] ?? '';
} elseif ($path === '/logout') {
    $_SESSION = [];
    session_destroy();
    echo 'bye';
}
