# Reference values for paths from work in an area to an outcome. Run from the folder that holds this
# file: Rscript mechanism.R. Packages: lavaan, sandwich, jsonlite.
suppressPackageStartupMessages({ library(lavaan); library(jsonlite) })

# Made from a fixed rule, so that the tests can make the same data.
i <- 0:239
site <- c("north", "south", "east", "west")[1 + i %% 4]
after <- as.numeric((i %/% 4) %% 2)
work <- after * (site %in% c("north", "east"))
wobble <- function(a, b, m) ((a * i^2 + b * i) %% m) / m - 0.5
cause <- 3 + 0.4 * work + 0.2 * after + 2 * wobble(3, 5, 31)
mediator <- 3 + 0.5 * (cause - 3) + 0.1 * work + 2 * wobble(4, 7, 37)
outcome <- 3 + 0.4 * (mediator - 3) + 0.2 * (cause - 3) + 0.1 * work + 2 * wobble(2, 9, 41)
unequal <- 0.5 + ((i * 13) %% 17) / 10
d <- data.frame(site, after, work, cause, mediator, outcome,
                south = +(site == "south"), east = +(site == "east"), west = +(site == "west"))

paths <- function(w) {
  d$w <- w
  m1 <- lm(cause ~ site + after + work, d, weights = w)
  m2 <- lm(mediator ~ site + after + work + cause, d, weights = w)
  m3 <- lm(outcome ~ site + after + work + cause + mediator, d, weights = w)
  total <- lm(outcome ~ site + after + work, d, weights = w)
  a <- coef(m1)[["work"]]; b2 <- coef(m2); b3 <- coef(m3)
  # Imai, Keele and Yamamoto (2010): the residuals of mediator and outcome, both without the mediator.
  left <- function(y, x) { f <- lm(reformulate(c("site", "after", x), y), d, weights = w); resid(f) }
  rho <- function(one, other, x) { e <- cbind(left(one, x), left(other, x)) * sqrt(w)
    sum(e[, 1] * e[, 2]) / sqrt(sum(e[, 1]^2) * sum(e[, 2]^2)) }
  # What the coefficient of the cause would be at a rho of .2: their theorem 2 by its own terms.
  e2 <- left("cause", "work"); e1 <- left("outcome", "work")
  s1 <- sqrt(sum(w * e1^2)); s2 <- sqrt(sum(w * e2^2)); r <- rho("cause", "outcome", "work"); at <- 0.2
  # Area shocks: the coefficient of work as a sum of cell means.
  t <- lm(work ~ site + after, d, weights = w)
  cells <- tapply(resid(t) * w, paste(site, after), sum) / sum(w * resid(t)^2)
  list(path_work_cause = a, path_work_mediator = b2[["work"]], path_cause_mediator = b2[["cause"]],
       direct = b3[["work"]], path_cause_outcome = b3[["cause"]],
       path_mediator_outcome = b3[["mediator"]],
       indirect_serial = a * b2[["cause"]] * b3[["mediator"]],
       indirect_cause = a * b3[["cause"]], indirect_mediator = b2[["work"]] * b3[["mediator"]],
       total = coef(total)[["work"]],
       total_standardised = coef(total)[["work"]] / sqrt(sum(w * resid(total)^2) / (234 * mean(w))),
       rho_cause_outcome = rho("cause", "outcome", "work"),
       rho_mediator_outcome = rho("mediator", "outcome", c("work", "cause")),
       acme = a * s1 / s2 * (r - at * sqrt((1 - r^2) / (1 - at^2))), shocks = sum(cells^2))
}

fit <- function(model) {
  f <- sem(model, d, meanstructure = TRUE)
  as.list(fitMeasures(f, c("logl", "chisq", "df", "aic", "bic", "npar")))
}
z <- "south + east + west + after"
models <- list(
  forward = c("work", "work + cause", "work + cause + mediator"),
  reversed = c("work + mediator", "work", "work + cause + mediator"),
  forward_only = c("work", "cause", "mediator"), reversed_only = c("mediator", "work", "cause"),
  direct_only = c("work", "work", "work"))
# In the last two, lavaan would free covariances of errors by itself; they are set to 0.
free <- c(forward = "", reversed = "", forward_only = "", reversed_only = "",
          direct_only = "\ncause ~~ 0*mediator + 0*outcome\nmediator ~~ 0*outcome")
fits <- lapply(names(models), function(name) {
  held <- models[[name]]
  fit(paste0("cause ~ ", z, " + ", held[1], "\nmediator ~ ", z, " + ", held[2],
             "\noutcome ~ ", z, " + ", held[3], free[[name]],
             if (name == "reversed_only") "\noutcome ~~ 0*mediator" else ""))
})
names(fits) <- names(models)
# The rival in which something unmeasured ties the three: their errors correlate.
tied <- fit(paste0("cause ~ ", z, " + work\nmediator ~ ", z, " + work\noutcome ~ ", z, " + work\n",
                   "cause ~~ mediator + outcome\nmediator ~~ outcome"))
# The same path between factors: cause and mediator measured by three items.
for (k in 1:3) {
  d[[paste0("c", k)]] <- (0.7 + 0.1 * k) * cause + wobble(5, 3 + k, 43)
  d[[paste0("m", k)]] <- (0.6 + 0.1 * k) * mediator + wobble(7, 2 + k, 47)
}
latent <- lapply(names(models), function(name) {
  held <- gsub("cause", "C", gsub("mediator", "M", models[[name]]))
  f <- sem(paste0("C =~ c1 + c2 + c3\nM =~ m1 + m2 + m3\nC ~ ", z, " + ", held[1], "\nM ~ ", z, " + ",
                  held[2], "\noutcome ~ ", z, " + ", held[3],
                  "\nC ~~ 0*M + 0*outcome\nM ~~ 0*outcome"), d)
  fit <- as.list(fitMeasures(f, c("logl", "chisq", "df", "cfi", "rmsea", "srmr", "aic", "bic")))
  b <- parameterEstimates(f)
  take <- function(lhs, rhs) b$est[b$lhs == lhs & b$op == "~" & b$rhs == rhs]
  if (name == "forward") fit <- c(fit, list(
    path_work_cause = take("C", "work"), path_cause_mediator = take("M", "C"),
    path_mediator_outcome = take("outcome", "M"),
    total = take("outcome", "work") + take("C", "work") * take("outcome", "C") +
      (take("M", "work") + take("C", "work") * take("M", "C")) * take("outcome", "M")))
  fit
})
names(latent) <- names(models)
write_json(list(latent = latent, plain = paths(rep(1, 240)), weighted = paths(unequal), fits = fits, tied = tied,
                versions = list(R = R.version.string, lavaan = packageDescription("lavaan")$Version)),
           "mechanism.json", auto_unbox = TRUE, digits = I(15), pretty = TRUE)
