# Reference values for sbwork.stats.reliability, sbwork.score.latent and sbwork.omega. Run from the
# folder that holds this file: Rscript reliability.R. Packages: psych, lavaan, jsonlite.
# Data: HolzingerSwineford1939 as it comes with lavaan (Holzinger, K., & Swineford, F. (1939). A
# study in factor analysis. Supplementary Educational Monographs 48, University of Chicago);
# school and nine tests. Written here to holzinger_swineford_1939.csv.
suppressPackageStartupMessages({library(psych); library(lavaan); library(jsonlite)})

data <- HolzingerSwineford1939[, c("school", paste0("x", 1:9))]
write.csv(data, "holzinger_swineford_1939.csv", row.names = FALSE, quote = FALSE)

classical <- function(items) {
  fit <- suppressWarnings(psych::alpha(data[items]))
  list(alpha = fit$total$raw_alpha, item_rest = fit$item.stats$r.drop,
       if_dropped = fit$alpha.drop$raw_alpha)
}

one_factor <- function(items, bounds = "none") {
  model <- paste("f =~", paste(items, collapse = " + "))
  # Gauss-Newton stops far closer to the optimum than the default, but knows no bounds.
  fit <- if (bounds == "none") {
    cfa(model, data[items], std.lv = TRUE, optim.method = "GN", optim.gn.tol.x = 1e-12,
        optim.gn.iter.max = 1000L)
  } else cfa(model, data[items], std.lv = TRUE, bounds = bounds)
  est <- lavInspect(fit, "est")
  loadings <- est$lambda[, 1] * sign(sum(est$lambda)); theta <- diag(est$theta)
  list(items = items, loadings = unname(loadings), residuals = unname(theta),
       errors = unname(lavInspect(fit, "se")$lambda[, 1]),
       omega = sum(loadings)^2 / (sum(loadings)^2 + sum(theta)), fit = indices(fit))
}

indices <- function(fit) as.list(unclass(fitMeasures(
  fit, c("chisq", "df", "pvalue", "cfi", "tli", "rmsea", "srmr"))))

three <- cfa("visual =~ x1 + x2 + x3
  textual =~ x4 + x5 + x6
  speed =~ x7 + x8 + x9", data, std.lv = TRUE, optim.method = "GN",
             optim.gn.tol.x = 1e-12, optim.gn.iter.max = 1000L)
est <- lavInspect(three, "est")

visual <- c("x1", "x2", "x3"); all <- paste0("x", 1:9)
result <- list(
  visual = classical(visual), all = classical(all),
  one_factor = list(visual = one_factor(visual), textual = one_factor(c("x4", "x5", "x6")),
                    six = one_factor(paste0("x", 1:6)), all = one_factor(all)),
  heywood = one_factor(c("x1", "x2", "x7", "x8"), bounds = "pos.var"),
  three_factors = list(
    loadings = unclass(est$lambda)[cbind(1:9, rep(1:3, each = 3))],
    errors = unclass(lavInspect(three, "se")$lambda)[cbind(1:9, rep(1:3, each = 3))],
    correlations = unclass(est$psi), residuals = unname(diag(est$theta)), fit = indices(three)),
  versions = list(R = as.character(getRversion()), psych = as.character(packageVersion("psych")),
                  lavaan = as.character(packageVersion("lavaan")))
)
write_json(result, "reliability.json", digits = NA, auto_unbox = TRUE, pretty = TRUE)
