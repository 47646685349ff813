# Panel, trend and time-series models of monthly counts, from R's own functions.
# Run from this folder: Rscript panels.R  (packages MASS, sandwich, quadprog, jsonlite)
suppressMessages({library(MASS); library(sandwich); library(jsonlite); library(quadprog)})
tight <- glm.control(epsilon = 1e-14, maxit = 200)
a <- c(18,35,25,9,21,24,41,27,12,20,17,15, 14,25,20,6,18,16,30,9,15,14,8,14)
b <- c(25,14,38,22,36,29,43,21,27,14,22,21, 24,36,17,23,35,18,45,30,15,26,31,12)
c <- c(7,11,0,5,9,14,8,6,10,3,7,12, 9,4,6,8,13,2,7,5,11,6,9,10)
d <- c(52,61,48,70,66,59,75,58,49,63,55,60, 71,57,64,80,62,58,77,69,51,66,72,60)
times <- -12:11
sites <- list(a = a, b = b, c = c, d = d)
long <- function(names, keep = times) do.call(rbind, lapply(names, function(s)
  data.frame(site = s, t = keep, y = sites[[s]][match(keep, times)],
             treated = s %in% c("a", "c"))))
take <- function(fit, name, scale, df) {
  co <- coef(fit)[[name]]; se <- sqrt(vcov(fit)[name, name] / summary(fit)$dispersion * scale)
  q <- if (is.infinite(df)) qnorm(.975) else qt(.975, df)
  p <- 2 * (if (is.infinite(df)) pnorm(-abs(co / se)) else pt(-abs(co / se), df))
  list(log = co, se = se, low = co - q * se, high = co + q * se, p = p, df = df)
}
quasi <- function(formula, data, name) {
  fit <- glm(formula, family = quasipoisson, data = data, control = tight)
  c(take(fit, name, max(1, summary(fit)$dispersion), fit$df.residual),
    dispersion = summary(fit)$dispersion)
}
negbin <- function(formula, data, name) {
  # glm.nb's own alternation, carried on until nothing moves (glm.nb stops early on theta)
  fit <- glm(formula, family = poisson, data = data, control = tight)
  for (i in 1:300) {
    y <- data$y; mu <- fitted(fit)
    score <- function(l) { th <- exp(l)
      sum(digamma(th + y) - digamma(th) + log(th) + 1 - log(th + mu) - (y + th) / (mu + th)) }
    th <- exp(uniroot(score, c(-6, 9), tol = 1e-14)$root)
    fit <- glm(formula, family = negative.binomial(th), data = data, control = tight)
  }
  s <- summary(fit, dispersion = 1)$coefficients[name, ]
  list(log = s[[1]], se = s[[2]], low = s[[1]] - qnorm(.975) * s[[2]],
       high = s[[1]] + qnorm(.975) * s[[2]], p = 2 * pnorm(-abs(s[[1]] / s[[2]])), theta = th)
}
pair <- long(c("a", "b")); pair$x <- as.numeric(pair$treated & pair$t >= 0)
pair$xt <- ifelse(pair$treated, pair$t, 0)
all4 <- long(c("a", "b", "c", "d")); all4$x <- as.numeric(all4$treated & all4$t >= 0)
all4$population <- c(a = 5200, b = 6100, c = 1800, d = 14000)[all4$site]
before <- pair[pair$t < 0, ]
out <- list(times = times, sites = sites, population = c(5200, 6100, 1800, 14000))
out$panel_quasipoisson <- quasi(y ~ x + site + factor(t), pair, "x")
out$panel_quasipoisson_trend <- quasi(y ~ x + xt + site + factor(t), pair, "x")
out$panel_quasipoisson_four <- quasi(
  y ~ x + site + factor(t) + offset(log(population)), all4, "x")
# sites a and b leave less spread than Poisson counts once months are taken out: no theta
ab <- glm(y ~ x + site + factor(t), family = poisson, data = pair, control = tight)
out$spread_beyond_poisson_ab <- sum((pair$y - fitted(ab))^2 - pair$y)
out$panel_nb2_four <- negbin(y ~ x + site + factor(t), all4, "x")
out$nb2_plain <- negbin(y ~ x + site, all4, "x")
stock <- glm.nb(y ~ x + site, data = all4)
out$nb2_plain_stock <- list(log = coef(stock)[["x"]], theta = stock$theta)
out$pre_trend <- quasi(y ~ xt + site + factor(t), before, "xt")
share <- glm(cbind(a[1:12], b[1:12]) ~ 1, family = quasibinomial, control = tight)
out$pre_level <- c(take(share, "(Intercept)", max(1, summary(share)$dispersion), 11),
                   dispersion = summary(share)$dispersion)
# one month against the (other) months before: a dummy for it alone
month_against_before <- function(m) {
  keep <- pair[pair$t < 0 | pair$t == m, ]
  keep$x <- as.numeric(keep$treated & keep$t == m)
  fit <- glm(y ~ x + site + factor(t), family = poisson, data = keep, control = tight)
  take(fit, "x", max(1, summary(share)$dispersion), 11)
}
out$event_study <- lapply(times, month_against_before)
# controlled interrupted time series: the site's share, with the larger of the model's and the
# Newey-West errors
after <- as.numeric(times >= 0)
its <- glm(cbind(a, b) ~ times + after + after:times + sin(2*pi*times/12) + cos(2*pi*times/12),
           family = quasibinomial, control = tight)
V <- NeweyWest(its, lag = 2, prewhite = FALSE, adjust = TRUE)
M <- summary(its)$cov.unscaled * max(1, summary(its)$dispersion)
pick <- function(name) { co <- coef(its)[[name]]; q <- qt(.975, its$df.residual)
  se <- sqrt(max(V[name, name], M[name, name]))
  list(log = co, se = se, low = co - q * se, high = co + q * se,
       p = 2 * pt(-abs(co / se), its$df.residual)) }
out$its_level <- pick("after"); out$its_slope <- pick("times:after")
# the same through the panel with an effect for every month: same coefficients
wide <- transform(pair, k = as.numeric(treated), after = as.numeric(t >= 0))
full <- glm(y ~ site + factor(t) + k:t + k:after + k:after:t + k:sin(2*pi*t/12) + k:cos(2*pi*t/12),
            family = quasipoisson, data = wide, control = tight)
out$its_level_panel <- coef(full)[["k:after"]]
# linear model of the log ratio with Newey-West errors: beside the share model, not the same
line <- lm(log(a / b) ~ times + after + after:times + sin(2*pi*times/12) + cos(2*pi*times/12))
out$its_level_lm <- list(log = coef(line)[["after"]],
  se = sqrt(NeweyWest(line, lag = 2, prewhite = FALSE, adjust = TRUE)["after", "after"]))
# HAC of a Poisson model on one series
one <- glm(d ~ times, family = poisson, control = tight)
out$newey_west <- NeweyWest(one, lag = 3, prewhite = FALSE, adjust = TRUE)
# synthetic control: weights by quadratic programming
set.seed(5)
donors <- matrix(rpois(24 * 5, rep(c(12, 25, 40, 18, 60), each = 24)), 24)
pre <- times < 0
index <- sweep(donors, 2, colMeans(donors[pre, ]), "/")[pre, ]
series <- round(.3 * donors[, 1] + .2 * donors[, 3] + .4 * donors[, 4] + rpois(24, 2))
target <- series[pre] / mean(series[pre])
qp <- solve.QP(crossprod(index), crossprod(index, target), cbind(1, diag(5)), c(1, rep(0, 5)), 1)
out$synthetic <- list(series = series, donors = donors, weights = pmax(qp$solution, 0),
                      rmspe = sqrt(mean((target - index %*% qp$solution)^2)))
write(toJSON(out, digits = NA, auto_unbox = TRUE, pretty = TRUE), "panels.json")
