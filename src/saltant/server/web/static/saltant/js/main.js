// What every page has. A page's own behaviour is a module of its own, named by the page in {% block scripts %}.
import "./requests.js";
import "./copy.js";
import "./menus.js";
import "./switch.js";
import "./times.js";
